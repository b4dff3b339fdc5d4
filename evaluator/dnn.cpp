#include "evaluator/dnn.h"

#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "evaluator/buffer.h"
#include "evaluator/unfold.h"

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

/// An inner product over `spatial` taps of `inputs` channels: what a dense layer (one tap) and an unfolded convolution (3 × 3)
/// have in common. x: rows × taps × inputs; weights as described by `plain_weights`, with dimensions outputs × inputs × kh × kw.
class InnerProduct {
 public:
  InnerProduct(DnnContext::Impl& context, int rows, int inputs, int side, int outputs, Type storage, Type output,
               const memory::desc& plain_weights, bool backward_data, bool backward_weights)
      : x_({rows, inputs, side, side}, storage, Tag::nhwc), y_({rows, outputs}, output, Tag::nc), dy_({rows, outputs}, storage, Tag::nc) {
    const memory::dims weight_dims{outputs, inputs, side, side};
    const memory::desc weights(weight_dims, storage, Tag::any);
    const dnnl::inner_product_forward::primitive_desc forward({dnnl::prop_kind::forward_training, x_, weights, y_}, context.engine);
    forward_ = dnnl::inner_product_forward(forward);
    weights_ = std::make_unique<Weights>(context, plain_weights, forward.weights_desc());
    if (backward_data) {
      const dnnl::inner_product_backward_data::primitive_desc data({x_, weights, dy_}, context.engine, forward);
      backward_data_ = dnnl::inner_product_backward_data(data);
      data_weights_ = std::make_unique<Weights>(context, plain_weights, data.weights_desc());
    }
    if (backward_weights) {
      const memory::desc gradient(weight_dims, Type::f32, Tag::any);
      const dnnl::inner_product_backward_weights::primitive_desc back({x_, gradient, dy_}, context.engine, forward);
      backward_weights_ = dnnl::inner_product_backward_weights(back);
      gradient_ = std::make_unique<WeightsGradient>(context, plain_weights, back.diff_weights_desc());
    }
  }

  void set_weights(DnnContext::Impl& context, const float* weights) {
    weights_->set(context, weights);
    if (data_weights_) data_weights_->set(context, weights);
  }
  void forward(DnnContext::Impl& context, const void* x, void* y) {
    forward_.execute(
        context.stream,
        Arguments{{DNNL_ARG_SRC, view(context, x_, x)}, {DNNL_ARG_WEIGHTS, weights_->converted()}, {DNNL_ARG_DST, view(context, y_, y)}});
  }
  void backward_data(DnnContext::Impl& context, const void* dy, void* dx) {
    backward_data_.execute(context.stream, Arguments{{DNNL_ARG_DIFF_DST, view(context, dy_, dy)},
                                                     {DNNL_ARG_WEIGHTS, data_weights_->converted()},
                                                     {DNNL_ARG_DIFF_SRC, view(context, x_, dx)}});
  }
  void backward_weights(DnnContext::Impl& context, const void* x, const void* dy, float* gradient) {
    backward_weights_.execute(context.stream, Arguments{{DNNL_ARG_SRC, view(context, x_, x)},
                                                        {DNNL_ARG_DIFF_DST, view(context, dy_, dy)},
                                                        {DNNL_ARG_DIFF_WEIGHTS, gradient_->computed()}});
    gradient_->get(context, gradient);
  }

 private:
  memory::desc x_, y_, dy_;
  dnnl::inner_product_forward forward_;
  dnnl::inner_product_backward_data backward_data_;
  dnnl::inner_product_backward_weights backward_weights_;
  std::unique_ptr<Weights> weights_, data_weights_;
  std::unique_ptr<WeightsGradient> gradient_;
};

/// How a convolution is computed. Both take the same buffers.
class ConvolutionAlgorithm {
 public:
  virtual ~ConvolutionAlgorithm() = default;
  virtual void set_weights(DnnContext::Impl& context, const float* weights) = 0;
  virtual void forward(DnnContext::Impl& context, const void* x, void* y) = 0;
  virtual void backward(DnnContext::Impl& context, const void* x, const void* dy, void* dx, float* gradient) = 0;
};

/// oneDNN's convolution primitives.
class DirectConvolution : public ConvolutionAlgorithm {
 public:
  DirectConvolution(DnnContext::Impl& context, const ConvolutionShape& s, Type storage, bool input_gradient)
      : x_({s.batch, s.in_channels, s.side, s.side}, storage, Tag::nhwc),
        y_({s.batch, s.out_channels, s.side, s.side}, storage, Tag::nhwc) {
    const memory::dims weight_dims{s.out_channels, s.in_channels, 3, 3}, ones{1, 1};
    const memory::desc plain(weight_dims, Type::f32, Tag::ohwi), weights(weight_dims, storage, Tag::any);
    const auto direct = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc forward({dnnl::prop_kind::forward_training, direct, x_, weights, y_, ones, ones, ones},
                                                            context.engine);
    forward_ = dnnl::convolution_forward(forward);
    weights_ = std::make_unique<Weights>(context, plain, forward.weights_desc());
    if (input_gradient) {
      const dnnl::convolution_backward_data::primitive_desc data({direct, x_, weights, y_, ones, ones, ones}, context.engine, forward);
      backward_data_ = dnnl::convolution_backward_data(data);
      data_weights_ = std::make_unique<Weights>(context, plain, data.weights_desc());
    }
    const memory::desc gradient(weight_dims, Type::f32, Tag::any);
    const dnnl::convolution_backward_weights::primitive_desc back({direct, x_, gradient, y_, ones, ones, ones}, context.engine, forward);
    backward_weights_ = dnnl::convolution_backward_weights(back);
    gradient_ = std::make_unique<WeightsGradient>(context, plain, back.diff_weights_desc());
  }

  void set_weights(DnnContext::Impl& context, const float* weights) override {
    weights_->set(context, weights);
    if (data_weights_) data_weights_->set(context, weights);
  }
  void forward(DnnContext::Impl& context, const void* x, void* y) override {
    forward_.execute(
        context.stream,
        Arguments{{DNNL_ARG_SRC, view(context, x_, x)}, {DNNL_ARG_WEIGHTS, weights_->converted()}, {DNNL_ARG_DST, view(context, y_, y)}});
  }
  void backward(DnnContext::Impl& context, const void* x, const void* dy, void* dx, float* gradient) override {
    if (dx) {
      backward_data_.execute(context.stream, Arguments{{DNNL_ARG_DIFF_DST, view(context, y_, dy)},
                                                       {DNNL_ARG_WEIGHTS, data_weights_->converted()},
                                                       {DNNL_ARG_DIFF_SRC, view(context, x_, dx)}});
    }
    backward_weights_.execute(context.stream, Arguments{{DNNL_ARG_SRC, view(context, x_, x)},
                                                        {DNNL_ARG_DIFF_DST, view(context, y_, dy)},
                                                        {DNNL_ARG_DIFF_WEIGHTS, gradient_->computed()}});
    gradient_->get(context, gradient);
  }

 private:
  memory::desc x_, y_;
  dnnl::convolution_forward forward_;
  dnnl::convolution_backward_data backward_data_;
  dnnl::convolution_backward_weights backward_weights_;
  std::unique_ptr<Weights> weights_, data_weights_;
  std::unique_ptr<WeightsGradient> gradient_;
};

/// The unfolded input times the weights. On images of 4×4 and less the direct gradient of the weights runs at a tenth of the
/// speed of this product (docs/performance.md). The gradient of the input is the same product over the unfolded, mirrored dL_dy.
class UnfoldedConvolution : public ConvolutionAlgorithm {
 public:
  UnfoldedConvolution(DnnContext::Impl& context, const ConvolutionShape& s, Type storage, bool input_gradient)
      : shape_(s),
        element_bytes_(storage == Type::bf16 ? 2 : 4),
        product_(context, s.batch * s.side * s.side, s.in_channels, 3, s.out_channels, storage, storage,
                 memory::desc({s.out_channels, s.in_channels, 3, 3}, Type::f32, Tag::ohwi), false, true),
        unfolded_(unfolded_bytes(s.in_channels)) {
    if (!input_gradient) return;
    // The same weights with inputs and outputs exchanged: a matter of strides.
    const memory::dim in = s.in_channels;
    const memory::desc exchanged({s.in_channels, s.out_channels, 3, 3}, Type::f32, memory::dims{1, 9 * in, 3 * in, in});
    gradient_product_ = std::make_unique<InnerProduct>(context, s.batch * s.side * s.side, s.out_channels, 3, s.in_channels, storage,
                                                       storage, exchanged, false, false);
    unfolded_gradient_ = Buffer(unfolded_bytes(s.out_channels));
  }

  void set_weights(DnnContext::Impl& context, const float* weights) override {
    product_.set_weights(context, weights);
    if (gradient_product_) gradient_product_->set_weights(context, weights);
  }
  void forward(DnnContext::Impl& context, const void* x, void* y) override {
    unfold_batch(x, shape_.in_channels, false, unfolded_.data());
    product_.forward(context, unfolded_.data(), y);
  }
  void backward(DnnContext::Impl& context, const void*, const void* dy, void* dx, float* gradient) override {
    if (dx) {
      unfold_batch(dy, shape_.out_channels, true, unfolded_gradient_.data());
      gradient_product_->forward(context, unfolded_gradient_.data(), dx);
    }
    product_.backward_weights(context, unfolded_.data(), dy, gradient);
  }

 private:
  std::size_t image_bytes(int channels) const {
    return static_cast<std::size_t>(shape_.side) * static_cast<std::size_t>(shape_.side * channels) * element_bytes_;
  }
  std::size_t unfolded_bytes(int channels) const { return 9 * static_cast<std::size_t>(shape_.batch) * image_bytes(channels); }
  void unfold_batch(const void* image, int channels, bool mirrored, unsigned char* matrix) const {
    const std::size_t bytes = image_bytes(channels);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < shape_.batch; ++n) {
      const auto place = static_cast<std::size_t>(n) * bytes;
      unfold(static_cast<const unsigned char*>(image) + place, 1, shape_.side, channels, element_bytes_, mirrored, matrix + 9 * place);
    }
  }

  ConvolutionShape shape_;
  std::size_t element_bytes_;
  InnerProduct product_;
  std::unique_ptr<InnerProduct> gradient_product_;
  Buffer unfolded_, unfolded_gradient_;
};

constexpr int kUnfoldedSide = 4;  ///< convolutions of images up to this side are unfolded

}  // namespace

DnnContext::DnnContext(int threads) : impl_(checked("engine", [] { return std::make_unique<Impl>(); })) { omp_set_num_threads(threads); }
DnnContext::~DnnContext() = default;

struct Convolution::Impl {
  DnnContext::Impl& context;
  std::unique_ptr<ConvolutionAlgorithm> algorithm;
};

namespace {
bool unfolds(ConvolutionMethod method, int side) {
  switch (method) {
    case ConvolutionMethod::kFastest:
      return side <= kUnfoldedSide;
    case ConvolutionMethod::kDirect:
      return false;
    case ConvolutionMethod::kUnfolded:
      return true;
  }
  throw std::logic_error("unfolds: no such method");
}
}  // namespace

Convolution::Convolution(DnnContext& context, const ConvolutionShape& shape, Precision precision, bool input_gradient,
                         ConvolutionMethod method) {
  impl_ = checked("convolution", [&] {
    std::unique_ptr<ConvolutionAlgorithm> algorithm;
    if (unfolds(method, shape.side)) {
      algorithm = std::make_unique<UnfoldedConvolution>(context.impl(), shape, storage_type(precision), input_gradient);
    } else {
      algorithm = std::make_unique<DirectConvolution>(context.impl(), shape, storage_type(precision), input_gradient);
    }
    return std::make_unique<Impl>(Impl{context.impl(), std::move(algorithm)});
  });
}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&&) noexcept = default;

void Convolution::set_weights(const float* weights) {
  checked("convolution weights", [&] { impl_->algorithm->set_weights(impl_->context, weights); });
}
void Convolution::forward(const void* x, void* y) {
  checked("convolution forward", [&] { impl_->algorithm->forward(impl_->context, x, y); });
}
void Convolution::backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) {
  checked("convolution backward", [&] { impl_->algorithm->backward(impl_->context, x, dL_dy, dL_dx, dL_dweights); });
}

struct MatrixProduct::Impl {
  DnnContext::Impl& context;
  InnerProduct product;
};

MatrixProduct::MatrixProduct(DnnContext& context, int rows, int inputs, int outputs, Precision precision, bool fp32_output) {
  impl_ = checked("matrix product", [&] {
    const Type storage = storage_type(precision);
    const memory::desc plain({outputs, inputs, 1, 1}, Type::f32, Tag::ohwi);
    return std::make_unique<Impl>(Impl{context.impl(), InnerProduct(context.impl(), rows, inputs, 1, outputs, storage,
                                                                    fp32_output ? Type::f32 : storage, plain, true, true)});
  });
}
MatrixProduct::~MatrixProduct() = default;
MatrixProduct::MatrixProduct(MatrixProduct&&) noexcept = default;

void MatrixProduct::set_weights(const float* weights) {
  checked("matrix product weights", [&] { impl_->product.set_weights(impl_->context, weights); });
}
void MatrixProduct::forward(const void* x, void* y) {
  checked("matrix product forward", [&] { impl_->product.forward(impl_->context, x, y); });
}
void MatrixProduct::backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) {
  checked("matrix product backward", [&] {
    if (dL_dx) impl_->product.backward_data(impl_->context, dL_dy, dL_dx);
    impl_->product.backward_weights(impl_->context, x, dL_dy, dL_dweights);
  });
}

bool has_native_bf16() {
  const auto isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

}  // namespace actsearch
