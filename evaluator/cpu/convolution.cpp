#include "evaluator/cpu/convolution.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "evaluator/cpu/interleave.h"
#include "evaluator/cpu/winograd.h"
#include "kernels/storage.h"

namespace actsearch {

class Convolution::Way {
 public:
  virtual ~Way() = default;
  virtual void set_weights(const float* weights) = 0;
  virtual void forward(const void* x, void* y) = 0;
  virtual void backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) = 0;
};

namespace {

class Direct : public Convolution::Way {
 public:
  Direct(DnnContext& context, const ConvolutionShape& shape, Precision precision, bool input_gradient)
      : convolution_(context, shape, precision, input_gradient) {}
  void set_weights(const float* weights) override { convolution_.set_weights(weights); }
  void forward(const void* x, void* y) override { convolution_.forward(x, y); }
  void backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) override {
    convolution_.backward(x, dL_dy, dL_dx, dL_dweights);
  }

 private:
  DirectConvolution convolution_;
};

/// Interleaved images with a stride: put in order, computed one after the other, and interleaved again. Neighbours of a pixel that is
/// stepped over do not lie a fixed distance apart in an interleaved row.
class InOrder : public Convolution::Way {
 public:
  InOrder(DnnContext& context, ConvolutionShape shape, Precision precision, bool input_gradient)
      : shape_(shape),
        element_(precision == Precision::kBf16 ? storage_bytes(Storage::kBf16) : storage_bytes(Storage::kFp32)),
        convolution_(context, whole(shape), precision, input_gradient),
        x_(bytes(shape.in_channels, shape.side)),
        y_(bytes(shape.out_channels, shape.output_side())),
        dx_(input_gradient ? x_.size() : 0) {}
  void set_weights(const float* weights) override { convolution_.set_weights(weights); }
  void forward(const void* x, void* y) override {
    deinterleave(x, batch(), pixels(shape_.side), pixel(shape_.in_channels), group(), x_.data());
    convolution_.forward(x_.data(), y_.data());
    interleave(y_.data(), batch(), pixels(shape_.output_side()), pixel(shape_.out_channels), group(), y);
  }
  void backward(const void*, const void* dL_dy, void* dL_dx, float* dL_dweights) override {
    deinterleave(dL_dy, batch(), pixels(shape_.output_side()), pixel(shape_.out_channels), group(), y_.data());
    convolution_.backward(x_.data(), y_.data(), dL_dx ? dx_.data() : nullptr, dL_dweights);
    if (dL_dx) interleave(dx_.data(), batch(), pixels(shape_.side), pixel(shape_.in_channels), group(), dL_dx);
  }

 private:
  static ConvolutionShape whole(ConvolutionShape shape) {
    shape.interleave = 1;
    return shape;
  }
  static std::size_t pixels(int side) { return static_cast<std::size_t>(side) * static_cast<std::size_t>(side); }
  std::size_t batch() const { return static_cast<std::size_t>(shape_.batch); }
  std::size_t group() const { return static_cast<std::size_t>(shape_.interleave); }
  std::size_t pixel(int channels) const { return static_cast<std::size_t>(channels) * element_; }
  std::size_t bytes(int channels, int side) const { return batch() * pixels(side) * pixel(channels); }

  ConvolutionShape shape_;
  std::size_t element_;
  DirectConvolution convolution_;
  Buffer x_;  ///< in order, from forward to backward
  Buffer y_, dx_;
};

class Winograd : public Convolution::Way {
 public:
  Winograd(DnnContext& context, const ConvolutionShape& shape) : convolution_(context, shape) {}
  void set_weights(const float* weights) override { convolution_.set_weights(weights); }
  void forward(const void* x, void* y) override { convolution_.forward(static_cast<const float*>(x), static_cast<float*>(y)); }
  void backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) override {
    convolution_.backward(static_cast<const float*>(x), static_cast<const float*>(dL_dy), static_cast<float*>(dL_dx), dL_dweights);
  }

 private:
  WinogradConvolution convolution_;
};

/// An image of 2×2 as one row of its four pixels: each pixel of the output is a sum over all four, with the weight of their distance.
class TwoByTwo : public Convolution::Way {
 public:
  TwoByTwo(DnnContext& context, const ConvolutionShape& shape)
      : in_(static_cast<std::size_t>(shape.in_channels)),
        out_(static_cast<std::size_t>(shape.out_channels)),
        product_(context, shape.batch, kPixels * shape.in_channels, kPixels * shape.out_channels, Precision::kFp32, false),
        matrix_(kPixels * out_ * kPixels * in_),
        gradient_(matrix_.size()) {}

  void set_weights(const float* weights) override {
    for_each_row([&](std::size_t in_matrix, std::size_t in_weights) { std::copy_n(weights + in_weights, in_, &matrix_[in_matrix]); });
    product_.set_weights(matrix_.data());
  }
  void forward(const void* x, void* y) override { product_.forward(x, y); }
  void backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) override {
    product_.backward(x, dL_dy, dL_dx, gradient_.data());
    std::fill_n(dL_dweights, out_ * 9 * in_, 0.0f);
    for_each_row([&](std::size_t in_matrix, std::size_t in_weights) {
      for (std::size_t i = 0; i < in_; ++i) dL_dweights[in_weights + i] += gradient_[in_matrix + i];
    });
  }

 private:
  static constexpr int kPixels = 4;

  /// Calls body(place in the matrix, place in the weights) for each pair of pixels and output channel: in_channels numbers each.
  template <class Body>
  void for_each_row(Body&& body) const {
    for (std::size_t to = 0; to < kPixels; ++to) {
      for (std::size_t o = 0; o < out_; ++o) {
        for (std::size_t from = 0; from < kPixels; ++from) {
          const std::size_t tap = 3 * (from / 2 + 1 - to / 2) + from % 2 + 1 - to % 2;
          body(((to * out_ + o) * kPixels + from) * in_, (o * 9 + tap) * in_);
        }
      }
    }
  }

  std::size_t in_, out_;
  MatrixProduct product_;
  std::vector<float> matrix_, gradient_;  ///< (4 · out) × (4 · in)
};

std::unique_ptr<Convolution::Way> fastest_way(DnnContext& context, const ConvolutionShape& shape, Precision precision,
                                              bool input_gradient) {
  const bool plain = shape.kernel == 3 && shape.stride == 1 && shape.padding == 1 && shape.groups == 1;
  if (precision == Precision::kFp32 && shape.interleave == 1 && plain) {
    if (shape.side == 2) return std::make_unique<TwoByTwo>(context, shape);
    if (WinogradConvolution::takes(shape)) return std::make_unique<Winograd>(context, shape);
  }
  if (shape.interleave > 1 && shape.stride > 1) return std::make_unique<InOrder>(context, shape, precision, input_gradient);
  return std::make_unique<Direct>(context, shape, precision, input_gradient);
}

}  // namespace

int interleaved_images(int batch, Precision precision) { return precision == Precision::kBf16 ? std::gcd(batch, 8) : 1; }

int interleaved_images(const Plan& plan, int batch, Precision precision) {
  const bool apart = std::any_of(plan.steps.begin(), plan.steps.end(), [](const Step& step) {
    return (step.kind == StepKind::kMaxPool || step.kind == StepKind::kAveragePool) && step.padding > 0;
  });
  return apart ? 1 : interleaved_images(batch, precision);
}

Convolution::Convolution(DnnContext& context, const ConvolutionShape& shape, Precision precision, bool input_gradient) {
  if (shape.interleave < 1 || shape.batch % shape.interleave != 0)
    throw std::invalid_argument("Convolution: interleave does not divide the batch");
  way_ = fastest_way(context, shape, precision, input_gradient);
}
Convolution::~Convolution() = default;
Convolution::Convolution(Convolution&&) noexcept = default;

void Convolution::set_weights(const float* weights) { way_->set_weights(weights); }
void Convolution::forward(const void* x, void* y) { way_->forward(x, y); }
void Convolution::backward(const void* x, const void* dL_dy, void* dL_dx, float* dL_dweights) {
  way_->backward(x, dL_dy, dL_dx, dL_dweights);
}

}  // namespace actsearch
