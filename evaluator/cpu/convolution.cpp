#include "evaluator/cpu/convolution.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "evaluator/cpu/winograd.h"

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
  return std::make_unique<Direct>(context, shape, precision, input_gradient);
}

}  // namespace

int interleaved_images(int batch, Precision precision) { return precision == Precision::kBf16 ? std::gcd(batch, 8) : 1; }

int interleaved_images(const Plan& plan, int batch, Precision precision) {
  const bool apart = std::any_of(plan.steps.begin(), plan.steps.end(), [](const Step& step) {
    return step.kind == StepKind::kConvolution
               ? step.stride > 1
               : (step.kind == StepKind::kMaxPool || step.kind == StepKind::kAveragePool) && step.padding > 0;
  });
  return apart ? 1 : interleaved_images(batch, precision);
}

Convolution::Convolution(DnnContext& context, const ConvolutionShape& shape, Precision precision, bool input_gradient) {
  if (shape.interleave < 1 || shape.batch % shape.interleave != 0)
    throw std::invalid_argument("Convolution: interleave does not divide the batch");
  if (shape.interleave > 1 && shape.stride > 1) throw std::invalid_argument("Convolution: interleaved images have stride 1");
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
