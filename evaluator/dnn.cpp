#include "evaluator/dnn.h"

#include <omp.h>

#include <algorithm>
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

/// Plain weights of the caller in the layout that a primitive wants, converted when they change.
class Weights {
 public:
  Weights(DnnContext::Impl& context, const memory::desc& plain, const memory::desc& wanted)
      : plain_(plain), converted_(wanted, context.engine), reorder_(memory(plain, context.engine, nullptr), converted_) {}
  void set(DnnContext::Impl& context, const void* weights) {
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

/// y = x · weightsᵀ with oneDNN's inner product. x: rows × inputs; weights: outputs × inputs, converted from `plain_weights`.
class InnerProduct {
 public:
  InnerProduct(DnnContext::Impl& context, int rows, int inputs, int outputs, Type storage, Type output, const memory::desc& plain_weights)
      : x_({rows, inputs}, storage, Tag::nc),
        y_({rows, outputs}, output, Tag::nc),
        descriptor_({dnnl::prop_kind::forward_training, x_, memory::desc({outputs, inputs}, storage, Tag::any), y_}, context.engine),
        product_(descriptor_),
        weights_(context, plain_weights, descriptor_.weights_desc()) {}

  const dnnl::inner_product_forward::primitive_desc& descriptor() const { return descriptor_; }
  void set_weights(DnnContext::Impl& context, const void* weights) { weights_.set(context, weights); }
  void multiply(DnnContext::Impl& context, const void* x, void* y) {
    product_.execute(
        context.stream,
        Arguments{{DNNL_ARG_SRC, view(context, x_, x)}, {DNNL_ARG_WEIGHTS, weights_.converted()}, {DNNL_ARG_DST, view(context, y_, y)}});
  }

 private:
  memory::desc x_, y_;
  dnnl::inner_product_forward::primitive_desc descriptor_;
  dnnl::inner_product_forward product_;
  Weights weights_;
};

/// A convolution's output and its gradient with respect to the input.
class ConvolutionPasses {
 public:
  virtual ~ConvolutionPasses() = default;
  virtual void set_weights(DnnContext::Impl& context, const float* weights) = 0;
  virtual void forward(DnnContext::Impl& context, const void* x, void* y) = 0;
  virtual void backward(DnnContext::Impl& context, const void* dy, void* dx) = 0;
};

/// A convolution's gradient with respect to the weights.
class ConvolutionWeightsGradient {
 public:
  virtual ~ConvolutionWeightsGradient() = default;
  virtual void compute(DnnContext::Impl& context, const void* x, const void* dy, float* gradient) = 0;
};

/// What oneDNN's convolution primitives are made from.
struct DirectDescriptors {
  DirectDescriptors(DnnContext::Impl& context, const ConvolutionShape& s, Type storage)
      : x({s.batch, s.in_channels, s.side, s.side}, storage, Tag::nhwc),
        y({s.batch, s.out_channels, s.side, s.side}, storage, Tag::nhwc),
        plain({s.out_channels, s.in_channels, 3, 3}, Type::f32, Tag::ohwi),
        weights(plain.dims(), storage, Tag::any),
        forward({dnnl::prop_kind::forward_training, kDirect, x, weights, y, ones, ones, ones}, context.engine) {}

  static constexpr auto kDirect = dnnl::algorithm::convolution_direct;
  const memory::dims ones{1, 1};
  memory::desc x, y, plain, weights;
  dnnl::convolution_forward::primitive_desc forward;
};

class DirectPasses : public ConvolutionPasses {
 public:
  DirectPasses(DnnContext::Impl& context, const ConvolutionShape& shape, Type storage, bool input_gradient) {
    const DirectDescriptors d(context, shape, storage);
    x_ = d.x;
    y_ = d.y;
    forward_ = dnnl::convolution_forward(d.forward);
    weights_ = std::make_unique<Weights>(context, d.plain, d.forward.weights_desc());
    if (!input_gradient) return;
    const dnnl::convolution_backward_data::primitive_desc data({d.kDirect, x_, d.weights, y_, d.ones, d.ones, d.ones}, context.engine,
                                                               d.forward);
    backward_ = dnnl::convolution_backward_data(data);
    backward_weights_ = std::make_unique<Weights>(context, d.plain, data.weights_desc());
  }

  void set_weights(DnnContext::Impl& context, const float* weights) override {
    weights_->set(context, weights);
    if (backward_weights_) backward_weights_->set(context, weights);
  }
  void forward(DnnContext::Impl& context, const void* x, void* y) override {
    forward_.execute(
        context.stream,
        Arguments{{DNNL_ARG_SRC, view(context, x_, x)}, {DNNL_ARG_WEIGHTS, weights_->converted()}, {DNNL_ARG_DST, view(context, y_, y)}});
  }
  void backward(DnnContext::Impl& context, const void* dy, void* dx) override {
    backward_.execute(context.stream, Arguments{{DNNL_ARG_DIFF_DST, view(context, y_, dy)},
                                                {DNNL_ARG_WEIGHTS, backward_weights_->converted()},
                                                {DNNL_ARG_DIFF_SRC, view(context, x_, dx)}});
  }

 private:
  memory::desc x_, y_;
  dnnl::convolution_forward forward_;
  dnnl::convolution_backward_data backward_;
  std::unique_ptr<Weights> weights_, backward_weights_;
};

class DirectWeightsGradient : public ConvolutionWeightsGradient {
 public:
  DirectWeightsGradient(DnnContext::Impl& context, const ConvolutionShape& shape, Type storage) {
    const DirectDescriptors d(context, shape, storage);
    x_ = d.x;
    y_ = d.y;
    const memory::desc gradient(d.plain.dims(), Type::f32, Tag::any);
    const dnnl::convolution_backward_weights::primitive_desc back({d.kDirect, x_, gradient, y_, d.ones, d.ones, d.ones}, context.engine,
                                                                  d.forward);
    backward_ = dnnl::convolution_backward_weights(back);
    gradient_ = std::make_unique<WeightsGradient>(context, d.plain, back.diff_weights_desc());
  }

  void compute(DnnContext::Impl& context, const void* x, const void* dy, float* gradient) override {
    backward_.execute(context.stream, Arguments{{DNNL_ARG_SRC, view(context, x_, x)},
                                                {DNNL_ARG_DIFF_DST, view(context, y_, dy)},
                                                {DNNL_ARG_DIFF_WEIGHTS, gradient_->computed()}});
    gradient_->get(context, gradient);
  }

 private:
  memory::desc x_, y_;
  dnnl::convolution_backward_weights backward_;
  std::unique_ptr<WeightsGradient> gradient_;
};

/// The unfolded matrix of a batch, made and used a chunk of images at a time so that it stays in the second-level cache.
class Unfolding {
 public:
  Unfolding(const ConvolutionShape& shape, int channels, Type storage, bool mirrored)
      : batch_(shape.batch),
        side_(shape.side),
        channels_(channels),
        mirrored_(mirrored),
        element_bytes_(storage == Type::bf16 ? 2 : 4),
        chunk_(chunk_images(shape)),
        matrix_(9 * static_cast<std::size_t>(chunk_) * image_bytes(channels)) {}

  int chunks() const { return batch_ / chunk_; }
  int rows() const { return chunk_ * side_ * side_; }  ///< of a chunk
  /// The bytes of a chunk in a tensor with so many channels.
  std::size_t chunk_bytes(int channels) const { return static_cast<std::size_t>(chunk_) * image_bytes(channels); }

  /// rows() × 9·channels of the chunk that begins at `images`; valid until the next call.
  const void* unfold_chunk(const unsigned char* images) {
    const std::size_t bytes = image_bytes(channels_);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < chunk_; ++n) {
      const auto place = static_cast<std::size_t>(n) * bytes;
      unfold(images + place, 1, side_, channels_, element_bytes_, mirrored_, matrix_.data() + 9 * place);
    }
    return matrix_.data();
  }

 private:
  /// The most images that divide the batch and have at most kChunkRows pixels; one if there are none.
  static int chunk_images(const ConvolutionShape& shape) {
    int images = std::clamp(kChunkRows / (shape.side * shape.side), 1, shape.batch);
    while (shape.batch % images != 0) --images;
    return images;
  }
  std::size_t image_bytes(int channels) const {
    return static_cast<std::size_t>(side_) * static_cast<std::size_t>(side_ * channels) * element_bytes_;
  }

  static constexpr int kChunkRows = 512;

  int batch_, side_, channels_;
  bool mirrored_;
  std::size_t element_bytes_;
  int chunk_;
  Buffer matrix_;
};

/// An unfolded input times the weights, chunk by chunk.
class UnfoldedProduct {
 public:
  UnfoldedProduct(DnnContext::Impl& context, const ConvolutionShape& shape, int inputs, int outputs, Type storage, bool mirrored,
                  const memory::desc& plain_weights)
      : unfolding_(shape, inputs, storage, mirrored),
        product_(context, unfolding_.rows(), 9 * inputs, outputs, storage, storage, plain_weights),
        inputs_(inputs),
        outputs_(outputs) {}

  InnerProduct& product() { return product_; }
  void multiply(DnnContext::Impl& context, const void* x, void* y) {
    const auto* from = static_cast<const unsigned char*>(x);
    auto* to = static_cast<unsigned char*>(y);
    for (int i = 0; i < unfolding_.chunks(); ++i) {
      product_.multiply(context, unfolding_.unfold_chunk(from), to);
      from += unfolding_.chunk_bytes(inputs_);
      to += unfolding_.chunk_bytes(outputs_);
    }
  }

 private:
  Unfolding unfolding_;
  InnerProduct product_;
  int inputs_, outputs_;
};

/// The gradient of the input is the same product as the output: over the unfolded, mirrored dL_dy.
class UnfoldedPasses : public ConvolutionPasses {
 public:
  UnfoldedPasses(DnnContext::Impl& context, const ConvolutionShape& s, Type storage, bool input_gradient)
      : forward_(context, s, s.in_channels, s.out_channels, storage, false,
                 memory::desc({s.out_channels, 9 * s.in_channels}, Type::f32, Tag::nc)) {
    if (!input_gradient) return;
    // The same weights with inputs and outputs exchanged: first as plain rows, then as the product wants them.
    const memory::dim in = s.in_channels, out = s.out_channels;
    const memory::desc exchanged({in, 9, out}, Type::f32, memory::dims{1, in, 9 * in}), rows({in, 9, out}, storage, Tag::abc);
    exchanged_ = std::make_unique<Weights>(context, exchanged, rows);
    backward_ = std::make_unique<UnfoldedProduct>(context, s, s.out_channels, s.in_channels, storage, true,
                                                  memory::desc({in, 9 * out}, storage, Tag::nc));
  }

  void set_weights(DnnContext::Impl& context, const float* weights) override {
    forward_.product().set_weights(context, weights);
    if (!backward_) return;
    exchanged_->set(context, weights);
    backward_->product().set_weights(context, exchanged_->converted().get_data_handle());
  }
  void forward(DnnContext::Impl& context, const void* x, void* y) override { forward_.multiply(context, x, y); }
  void backward(DnnContext::Impl& context, const void* dy, void* dx) override { backward_->multiply(context, dy, dx); }

 private:
  UnfoldedProduct forward_;
  std::unique_ptr<Weights> exchanged_;
  std::unique_ptr<UnfoldedProduct> backward_;
};

/// dL_dyᵀ · the unfolded input, which is the plain gradient: outputs × 9·inputs.
class UnfoldedWeightsGradient : public ConvolutionWeightsGradient {
 public:
  UnfoldedWeightsGradient(DnnContext::Impl& context, const ConvolutionShape& s, Type storage)
      : shape_(s),
        unfolding_(s, s.in_channels, storage, false),
        dy_({s.out_channels, unfolding_.rows()}, storage, Tag::ba),
        x_({unfolding_.rows(), 9 * s.in_channels}, storage, Tag::ab),
        gradient_({s.out_channels, 9 * s.in_channels}, Type::f32, Tag::ab) {
    const dnnl::matmul::desc product(dy_, x_, gradient_);
    first_ = dnnl::matmul(dnnl::matmul::primitive_desc(product, context.engine));
    dnnl::post_ops sum;
    sum.append_sum();
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(sum);
    further_ = dnnl::matmul(dnnl::matmul::primitive_desc(product, attributes, context.engine));
  }

  void compute(DnnContext::Impl& context, const void* x, const void* dy, float* gradient) override {
    const auto* images = static_cast<const unsigned char*>(x);
    const auto* gradients = static_cast<const unsigned char*>(dy);
    for (int i = 0; i < unfolding_.chunks(); ++i) {
      (i == 0 ? first_ : further_)
          .execute(context.stream, Arguments{{DNNL_ARG_SRC, view(context, dy_, gradients)},
                                             {DNNL_ARG_WEIGHTS, view(context, x_, unfolding_.unfold_chunk(images))},
                                             {DNNL_ARG_DST, view(context, gradient_, gradient)}});
      images += unfolding_.chunk_bytes(shape_.in_channels);
      gradients += unfolding_.chunk_bytes(shape_.out_channels);
    }
  }

 private:
  ConvolutionShape shape_;
  Unfolding unfolding_;
  memory::desc dy_, x_, gradient_;
  dnnl::matmul first_, further_;
};

// Images of up to these sides are unfolded, the rest computed directly (docs/performance.md).
constexpr int kUnfoldedSide = 4, kUnfoldedWeightsGradientSide = 8;

}  // namespace

DnnContext::DnnContext(int threads) : impl_(checked("engine", [] { return std::make_unique<Impl>(); })) { omp_set_num_threads(threads); }
DnnContext::~DnnContext() = default;

struct Convolution::Impl {
  DnnContext::Impl& context;
  std::unique_ptr<ConvolutionPasses> passes;
  std::unique_ptr<ConvolutionWeightsGradient> weights_gradient;
};

namespace {
/// Whether a pass that is fastest unfolded on images of up to `fastest_side` is to be unfolded.
bool unfolds(ConvolutionMethod method, int side, int fastest_side) {
  switch (method) {
    case ConvolutionMethod::kFastest:
      return side <= fastest_side;
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
    auto impl = std::make_unique<Impl>(Impl{context.impl(), nullptr, nullptr});
    const Type storage = storage_type(precision);
    if (unfolds(method, shape.side, kUnfoldedSide)) {
      impl->passes = std::make_unique<UnfoldedPasses>(impl->context, shape, storage, input_gradient);
    } else {
      impl->passes = std::make_unique<DirectPasses>(impl->context, shape, storage, input_gradient);
    }
    if (unfolds(method, shape.side, kUnfoldedWeightsGradientSide)) {
      impl->weights_gradient = std::make_unique<UnfoldedWeightsGradient>(impl->context, shape, storage);
    } else {
      impl->weights_gradient = std::make_unique<DirectWeightsGradient>(impl->context, shape, storage);
    }
    return impl;
  });
}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&&) noexcept = default;

void Convolution::set_weights(const float* weights) {
  checked("convolution weights", [&] { impl_->passes->set_weights(impl_->context, weights); });
}
void Convolution::forward(const void* x, void* y) {
  checked("convolution forward", [&] { impl_->passes->forward(impl_->context, x, y); });
}
void Convolution::backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) {
  checked("convolution backward", [&] {
    if (dL_dx) impl_->passes->backward(impl_->context, dL_dy, dL_dx);
    impl_->weights_gradient->compute(impl_->context, x, dL_dy, dL_dweights);
  });
}

struct MatrixProduct::Impl {
  Impl(DnnContext::Impl& engine_and_stream, int rows, int inputs, int outputs, Type storage, Type output)
      : context(engine_and_stream),
        x({rows, inputs}, storage, Tag::nc),
        dy({rows, outputs}, storage, Tag::nc),
        plain({outputs, inputs}, Type::f32, Tag::nc),
        product(context, rows, inputs, outputs, storage, output, plain) {
    const memory::desc any(plain.dims(), storage, Tag::any), gradient_any(plain.dims(), Type::f32, Tag::any);
    const dnnl::inner_product_backward_data::primitive_desc data({x, any, dy}, context.engine, product.descriptor());
    backward_data = dnnl::inner_product_backward_data(data);
    data_weights = std::make_unique<Weights>(context, plain, data.weights_desc());
    const dnnl::inner_product_backward_weights::primitive_desc back({x, gradient_any, dy}, context.engine, product.descriptor());
    backward_weights = dnnl::inner_product_backward_weights(back);
    gradient = std::make_unique<WeightsGradient>(context, plain, back.diff_weights_desc());
  }

  DnnContext::Impl& context;
  memory::desc x, dy, plain;
  InnerProduct product;
  dnnl::inner_product_backward_data backward_data;
  dnnl::inner_product_backward_weights backward_weights;
  std::unique_ptr<Weights> data_weights;
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
    impl_->product.set_weights(impl_->context, weights);
    impl_->data_weights->set(impl_->context, weights);
  });
}
void MatrixProduct::forward(const void* x, void* y) {
  checked("matrix product forward", [&] { impl_->product.multiply(impl_->context, x, y); });
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

bool has_native_bf16() {
  const auto isa = dnnl::get_effective_cpu_isa();
  return isa == dnnl::cpu_isa::avx512_core_bf16 || isa == dnnl::cpu_isa::avx512_core_amx;
}

}  // namespace actsearch
