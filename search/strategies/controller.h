/// The recurrent network that writes a candidate choice by choice: an LSTM fed with its own choices (S. Hochreiter and J. Schmidhuber,
/// 1997).
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "grammar/space.h"

namespace actsearch {

/// In double precision. It is so small that a library would only be in the way. Choices are Space::choices; operators, inputs and binary
/// operators each have one table of embeddings and one head, whatever unit they are for.
class Controller {
 public:
  struct Size {
    std::size_t hidden = 32, embedding = 16;
  };
  /// Weights uniform in ±0.1 from the seed: nearly uniform choices. The space outlives the controller.
  Controller(const Space& space, const Size& size, std::uint64_t seed);

  /// A candidate, each choice drawn from its distribution given those before.
  std::vector<std::size_t> sample(std::mt19937_64& random) const;

  struct Step {
    double log_probability = 0;  ///< of the choice made
    double entropy = 0;          ///< of its distribution, nats
  };
  std::vector<Step> evaluate(const std::vector<std::size_t>& choices) const;

  /// Adds to `gradient` that of Σ_t coefficient[t]·log_probability_t + entropy_coefficient·Σ_t entropy_t by the parameters.
  void add_gradient(const std::vector<std::size_t>& choices, const std::vector<double>& coefficients, double entropy_coefficient,
                    std::vector<double>& gradient) const;

  std::vector<double>& parameters() { return parameters_; }

 private:
  /// Everything of one step that its derivative needs.
  struct Trace {
    std::size_t token = 0;  ///< place of the input's embedding in the parameters
    std::vector<double> gates, cell, hidden, probabilities;
  };
  struct Layout {
    std::size_t start = 0, embeddings[3] = {}, recurrent = 0, head[3] = {};  ///< offsets, by Space::Choice
  };
  std::size_t options(std::size_t choice) const { return space_.radices()[choice]; }
  std::size_t head_offset(std::size_t choice) const { return layout_.head[static_cast<std::size_t>(Space::kind(choice))]; }
  std::size_t token_of(std::size_t choice, std::size_t value) const;
  /// One step from the state before it (null at the start): gates, cell, hidden state and the distribution of the choice.
  Trace step(std::size_t choice, std::size_t token, const Trace* before) const;
  std::vector<Trace> run(const std::vector<std::size_t>& choices) const;

  const Space& space_;
  const Size size_;
  Layout layout_;
  std::vector<double> parameters_;
};

}  // namespace actsearch
