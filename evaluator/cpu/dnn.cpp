#include "evaluator/cpu/dnn.h"

#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <stdexcept>
#include <string>
#include <unordered_map>

namespace actsearch {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;
using Arguments = std::unordered_map<int, memory>;

struct DnnContext::Impl {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

namespace {

Type storage_type(Precision precision) { return precision == Precision::kBf16 ? Type::bf16 : Type::f32; }

/// Runs body; an error of oneDNN becomes a runtime_error that says what was being done.
template <class Body>
auto checked(const char* what, Body&& body) {
  try {
    return body();
  } catch (const dnnl::error& error) {
    throw std::runtime_error(std::string("oneDNN: ") + what + ": " + error.message + " (status " + std::to_string(error.status) + ")");
  }
}

/// The descriptor of a primitive that computes forward. Here and in describe_backward alone the releases of oneDNN differ: from 3 on a
/// descriptor takes the arguments itself, before that an operation's descriptor takes them and is taken.
template <class Primitive, class... Args>
auto describe(const DnnContext::Impl& context, const Args&... arguments) {
  using Descriptor = typename Primitive::primitive_desc;
  if constexpr (DNNL_VERSION_MAJOR >= 3)
    return Descriptor(context.engine, arguments...);
  else
    return Descriptor(typename Primitive::desc(arguments...), context.engine);
}
/// The same of one that computes backward through what `forward` describes.
template <class Primitive, class Forward, class... Args>
auto describe_backward(const DnnContext::Impl& context, const Forward& forward, const Args&... arguments) {
  using Descriptor = typename Primitive::primitive_desc;
  if constexpr (DNNL_VERSION_MAJOR >= 3)
    return Descriptor(context.engine, arguments..., forward);
  else
    return Descriptor(typename Primitive::desc(arguments...), context.engine, forward);
}

/// A memory object over the caller's buffer. oneDNN's handle is not const; arguments it only reads are not written.
memory view(DnnContext::Impl& context, const memory::desc& description, const void* buffer) {
  return memory(description, context.engine, const_cast<void*>(buffer));
}

/// Plain fp32 weights of the caller in the layout that a primitive wants, converted when they change.
class Weights {
 public:
  Weights(DnnContext::Impl& context, const memory::desc& plain, const memory::desc& wanted)
      : plain_(plain), converted_(wanted, context.engine), reorder_(memory(plain, context.engine, nullptr), converted_) {}
  void set(DnnContext::Impl& context, const float* weights) {
    auto from = view(context, plain_, weights);
    reorder_.execute(context.stream, from, converted_);
  }
  const memory& converted() const { return converted_; }

 private:
  memory::desc plain_;
  memory converted_;
  dnnl::reorder reorder_;
};

/// A gradient of weights in the layout that a primitive writes, and the way back to the caller's plain fp32.
class WeightsGradient {
 public:
  WeightsGradient(DnnContext::Impl& context, const memory::desc& plain, const memory::desc& written)
      : plain_(plain), computed_(written, context.engine), reorder_(computed_, memory(plain, context.engine, nullptr)) {}
  void get(DnnContext::Impl& context, float* gradient) {
    auto to = view(context, plain_, gradient);
    reorder_.execute(context.stream, computed_, to);
  }
  const memory& computed() const { return computed_; }

 private:
  memory::desc plain_;
  memory computed_;
  dnnl::reorder reorder_;
};

}  // namespace

DnnContext::DnnContext(int threads) : threads_(threads), impl_(checked("engine", [] { return std::make_unique<Impl>(); })) {
  omp_set_num_threads(threads);
}
DnnContext::~DnnContext() = default;

unsigned char* DnnContext::scratch(std::size_t size) {
  if (scratch_.size() < size) scratch_ = Buffer(size);
  return scratch_.data();
}

struct DirectConvolution::Impl {
  Impl(DnnContext::Impl& engine_and_stream, const ConvolutionShape& s, Type storage, bool input_gradient)
      : context(engine_and_stream),
        x({s.batch / s.interleave, s.in_channels, s.side, s.side * s.interleave}, storage, Tag::nhwc),
        y({s.batch / s.interleave, s.out_channels, s.output_side(), s.output_side() * s.interleave}, storage, Tag::nhwc) {
    // A row of the library's image holds a row of each of the interleaved images, pixel by pixel; a dilation of as many pixels takes each
    // image's own neighbours. oneDNN counts no dilation as 0.
    const memory::dims strides{s.stride, s.stride}, dilation{0, s.interleave - 1}, padding{s.padding, s.padding * s.interleave};
    const bool grouped = s.groups > 1;
    const memory::dims weights_dims = grouped
                                          ? memory::dims{s.groups, s.out_channels / s.groups, s.in_channels / s.groups, s.kernel, s.kernel}
                                          : memory::dims{s.out_channels, s.in_channels, s.kernel, s.kernel};
    const memory::desc plain(weights_dims, Type::f32, grouped ? Tag::gohwi : Tag::ohwi), any(weights_dims, storage, Tag::any),
        gradient_any(weights_dims, Type::f32, Tag::any);
    const auto direct = dnnl::algorithm::convolution_direct;
    const auto forward_descriptor = describe<dnnl::convolution_forward>(context, dnnl::prop_kind::forward_training, direct, x, any, y,
                                                                        strides, dilation, padding, padding);
    forward = dnnl::convolution_forward(forward_descriptor);
    weights = std::make_unique<Weights>(context, plain, forward_descriptor.weights_desc());
    if (input_gradient) {
      const auto data = describe_backward<dnnl::convolution_backward_data>(context, forward_descriptor, direct, x, any, y, strides,
                                                                           dilation, padding, padding);
      backward_data = dnnl::convolution_backward_data(data);
      data_weights = std::make_unique<Weights>(context, plain, data.weights_desc());
    }
    const auto back = describe_backward<dnnl::convolution_backward_weights>(context, forward_descriptor, direct, x, gradient_any, y,
                                                                            strides, dilation, padding, padding);
    backward_weights = dnnl::convolution_backward_weights(back);
    gradient = std::make_unique<WeightsGradient>(context, plain, back.diff_weights_desc());
  }

  DnnContext::Impl& context;
  memory::desc x, y;
  dnnl::convolution_forward forward;
  dnnl::convolution_backward_data backward_data;
  dnnl::convolution_backward_weights backward_weights;
  std::unique_ptr<Weights> weights, data_weights;
  std::unique_ptr<WeightsGradient> gradient;
};

DirectConvolution::DirectConvolution(DnnContext& context, const ConvolutionShape& shape, Precision precision, bool input_gradient) {
  impl_ = checked("convolution", [&] { return std::make_unique<Impl>(context.impl(), shape, storage_type(precision), input_gradient); });
}
DirectConvolution::~DirectConvolution() = default;
DirectConvolution::DirectConvolution(DirectConvolution&&) noexcept = default;

void DirectConvolution::set_weights(const float* weights) {
  checked("convolution weights", [&] {
    impl_->weights->set(impl_->context, weights);
    if (impl_->data_weights) impl_->data_weights->set(impl_->context, weights);
  });
}
void DirectConvolution::forward(const void* x, void* y) {
  checked("convolution forward", [&] {
    Impl& c = *impl_;
    c.forward.execute(c.context.stream, Arguments{{DNNL_ARG_SRC, view(c.context, c.x, x)},
                                                  {DNNL_ARG_WEIGHTS, c.weights->converted()},
                                                  {DNNL_ARG_DST, view(c.context, c.y, y)}});
  });
}
void DirectConvolution::backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) {
  checked("convolution backward", [&] {
    Impl& c = *impl_;
    const memory dy = view(c.context, c.y, dL_dy);
    if (dL_dx) {
      c.backward_data.execute(c.context.stream, Arguments{{DNNL_ARG_DIFF_DST, dy},
                                                          {DNNL_ARG_WEIGHTS, c.data_weights->converted()},
                                                          {DNNL_ARG_DIFF_SRC, view(c.context, c.x, dL_dx)}});
    }
    c.backward_weights.execute(
        c.context.stream,
        Arguments{{DNNL_ARG_SRC, view(c.context, c.x, x)}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_WEIGHTS, c.gradient->computed()}});
    c.gradient->get(c.context, dL_dweights);
  });
}

struct MatrixProduct::Impl {
  Impl(DnnContext::Impl& engine_and_stream, int rows, int inputs, int outputs, Type storage, Type output)
      : context(engine_and_stream),
        x({rows, inputs}, storage, Tag::nc),
        y({rows, outputs}, output, Tag::nc),
        dy({rows, outputs}, storage, Tag::nc) {
    const memory::dims weights_dims{outputs, inputs};
    const memory::desc plain(weights_dims, Type::f32, Tag::nc), any(weights_dims, storage, Tag::any),
        gradient_any(weights_dims, Type::f32, Tag::any);
    const auto forward_descriptor = describe<dnnl::inner_product_forward>(context, dnnl::prop_kind::forward_training, x, any, y);
    forward = dnnl::inner_product_forward(forward_descriptor);
    weights = std::make_unique<Weights>(context, plain, forward_descriptor.weights_desc());
    const auto data = describe_backward<dnnl::inner_product_backward_data>(context, forward_descriptor, x, any, dy);
    backward_data = dnnl::inner_product_backward_data(data);
    data_weights = std::make_unique<Weights>(context, plain, data.weights_desc());
    const auto back = describe_backward<dnnl::inner_product_backward_weights>(context, forward_descriptor, x, gradient_any, dy);
    backward_weights = dnnl::inner_product_backward_weights(back);
    gradient = std::make_unique<WeightsGradient>(context, plain, back.diff_weights_desc());
  }

  DnnContext::Impl& context;
  memory::desc x, y, dy;
  dnnl::inner_product_forward forward;
  dnnl::inner_product_backward_data backward_data;
  dnnl::inner_product_backward_weights backward_weights;
  std::unique_ptr<Weights> weights, data_weights;
  std::unique_ptr<WeightsGradient> gradient;
};

MatrixProduct::MatrixProduct(DnnContext& context, int rows, int inputs, int outputs, Precision precision, bool fp32_output) {
  impl_ = checked("matrix product", [&] {
    const Type storage = storage_type(precision);
    return std::make_unique<Impl>(context.impl(), rows, inputs, outputs, storage, fp32_output ? Type::f32 : storage);
  });
}
MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;

void MatrixProduct::set_weights(const float* weights) {
  checked("matrix product weights", [&] {
    impl_->weights->set(impl_->context, weights);
    impl_->data_weights->set(impl_->context, weights);
  });
}
void MatrixProduct::forward(const void* x, void* y) {
  checked("matrix product forward", [&] {
    Impl& m = *impl_;
    m.forward.execute(m.context.stream, Arguments{{DNNL_ARG_SRC, view(m.context, m.x, x)},
                                                  {DNNL_ARG_WEIGHTS, m.weights->converted()},
                                                  {DNNL_ARG_DST, view(m.context, m.y, y)}});
  });
}
void MatrixProduct::backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) {
  checked("matrix product backward", [&] {
    Impl& m = *impl_;
    const memory dy = view(m.context, m.dy, dL_dy);
    if (dL_dx) {
      m.backward_data.execute(m.context.stream, Arguments{{DNNL_ARG_DIFF_DST, dy},
                                                          {DNNL_ARG_WEIGHTS, m.data_weights->converted()},
                                                          {DNNL_ARG_DIFF_SRC, view(m.context, m.x, dL_dx)}});
    }
    m.backward_weights.execute(
        m.context.stream,
        Arguments{{DNNL_ARG_SRC, view(m.context, m.x, x)}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_WEIGHTS, m.gradient->computed()}});
    m.gradient->get(m.context, dL_dweights);
  });
}

struct Pool::Impl {
  Impl(DnnContext::Impl& engine_and_stream, const PoolShape& s, Type storage)
      : context(engine_and_stream),
        x({s.batch, s.channels, s.side, s.side}, storage, Tag::nhwc),
        y({s.batch, s.channels, (s.side + 2 * s.padding - s.kernel) / s.stride + 1, (s.side + 2 * s.padding - s.kernel) / s.stride + 1},
          storage, Tag::nhwc) {
    const memory::dims strides{s.stride, s.stride}, kernel{s.kernel, s.kernel}, padding{s.padding, s.padding};
    const auto kind = s.average ? dnnl::algorithm::pooling_avg_exclude_padding : dnnl::algorithm::pooling_max;
    const auto make = [&](auto... dilation) {
      const auto forward_descriptor =
          describe<Forward>(context, dnnl::prop_kind::forward_training, kind, x, y, strides, kernel, dilation..., padding, padding);
      forward = Forward(forward_descriptor);
      backward =
          Backward(describe_backward<Backward>(context, forward_descriptor, kind, x, y, strides, kernel, dilation..., padding, padding));
      if (!s.average) chosen = memory(forward_descriptor.workspace_desc(), context.engine);
    };
#if DNNL_VERSION_MAJOR >= 3
    make(memory::dims{0, 0});
#else
    make();
#endif
  }
  using Forward = dnnl::pooling_forward;
  using Backward = dnnl::pooling_backward;

  DnnContext::Impl& context;
  memory::desc x, y;
  Forward forward;
  Backward backward;
  memory chosen;  ///< which pixel of each window was the largest
};

Pool::Pool(DnnContext& context, const PoolShape& shape, Precision precision) {
  impl_ = checked("pool", [&] { return std::make_unique<Impl>(context.impl(), shape, storage_type(precision)); });
}
Pool::~Pool() = default;
Pool::Pool(Pool&&) noexcept = default;

void Pool::forward(const void* x, void* y) {
  checked("pool forward", [&] {
    Impl& p = *impl_;
    Arguments arguments{{DNNL_ARG_SRC, view(p.context, p.x, x)}, {DNNL_ARG_DST, view(p.context, p.y, y)}};
    if (p.chosen) arguments.insert({DNNL_ARG_WORKSPACE, p.chosen});
    p.forward.execute(p.context.stream, arguments);
  });
}
void Pool::backward(const void* dL_dy, void* dL_dx) {
  checked("pool backward", [&] {
    Impl& p = *impl_;
    Arguments arguments{{DNNL_ARG_DIFF_DST, view(p.context, p.y, dL_dy)}, {DNNL_ARG_DIFF_SRC, view(p.context, p.x, dL_dx)}};
    if (p.chosen) arguments.insert({DNNL_ARG_WORKSPACE, p.chosen});
    p.backward.execute(p.context.stream, arguments);
  });
}

bool has_native_bf16() {
  // The names are masks: whatever has bf16 and more, amx or avx10 say, holds all bits of bf16.
  const auto have = static_cast<unsigned>(dnnl::get_effective_cpu_isa()), bf16 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (have & bf16) == bf16;
}

Precision native_precision() { return has_native_bf16() ? Precision::kBf16 : Precision::kFp32; }

}  // namespace actsearch
