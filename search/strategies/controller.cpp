#include "search/strategies/controller.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace actsearch {
Controller::Controller(const Space& space, const Size& size, std::uint64_t seed) : space_(space), size_(size) {
  std::size_t total = 0;
  const auto take = [&total](std::size_t count) {
    const std::size_t offset = total;
    total += count;
    return offset;
  };
  const std::array<std::size_t, 3> most{space.unary().size(), static_cast<std::size_t>(space.units()), space.binary().size()};
  layout_.start = take(size.embedding);
  for (std::size_t kind = 0; kind < most.size(); ++kind) layout_.embeddings[kind] = take(most[kind] * size.embedding);
  layout_.recurrent = take(4 * size.hidden * (size.embedding + size.hidden + 1));
  for (std::size_t kind = 0; kind < most.size(); ++kind) layout_.head[kind] = take(most[kind] * (size.hidden + 1));
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < total; ++i) parameters_.push_back(0.2 * std::generate_canonical<double, 53>(random) - 0.1);
}

std::size_t Controller::token_of(std::size_t choice, std::size_t value) const {
  return layout_.embeddings[static_cast<std::size_t>(Space::kind(choice))] + value * size_.embedding;
}

Controller::Trace Controller::step(std::size_t choice, std::size_t token, const Trace* before) const {
  const std::size_t hidden = size_.hidden, inputs = size_.embedding + hidden + 1;
  Trace now;
  now.token = token;
  now.gates.resize(4 * hidden);
  for (std::size_t g = 0; g < 4 * hidden; ++g) {
    const double* const row = parameters_.data() + layout_.recurrent + g * inputs;
    double sum = row[inputs - 1];
    for (std::size_t i = 0; i < size_.embedding; ++i) sum += row[i] * parameters_[token + i];
    for (std::size_t i = 0; before && i < hidden; ++i) sum += row[size_.embedding + i] * before->hidden[i];
    now.gates[g] = g < 3 * hidden ? logistic(sum) : std::tanh(sum);  // input, forget, output; then what is to be remembered
  }
  now.cell.resize(hidden);
  now.hidden.resize(hidden);
  for (std::size_t i = 0; i < hidden; ++i) {
    now.cell[i] = now.gates[i] * now.gates[3 * hidden + i] + (before ? now.gates[hidden + i] * before->cell[i] : 0.0);
    now.hidden[i] = now.gates[2 * hidden + i] * std::tanh(now.cell[i]);
  }
  double largest = -1e300, sum = 0;
  for (std::size_t k = 0; k < options(choice); ++k) {
    const double* const row = parameters_.data() + head_offset(choice) + k * (hidden + 1);
    double logit = row[hidden];
    for (std::size_t i = 0; i < hidden; ++i) logit += row[i] * now.hidden[i];
    now.probabilities.push_back(logit);
    largest = std::max(largest, logit);
  }
  for (double& p : now.probabilities) sum += p = std::exp(p - largest);
  for (double& p : now.probabilities) p /= sum;
  return now;
}

std::vector<std::size_t> Controller::sample(std::mt19937_64& random) const {
  std::vector<std::size_t> choices;
  Trace before;
  for (std::size_t t = 0; t < space_.radices().size(); ++t) {
    Trace now = step(t, t == 0 ? layout_.start : token_of(t - 1, choices.back()), t == 0 ? nullptr : &before);
    double left = std::generate_canonical<double, 53>(random);
    std::size_t choice = 0;
    while (choice + 1 < now.probabilities.size() && left >= now.probabilities[choice]) left -= now.probabilities[choice++];
    choices.push_back(choice);
    before = std::move(now);
  }
  return choices;
}

std::vector<Controller::Trace> Controller::run(const std::vector<std::size_t>& choices) const {
  std::vector<Trace> traces;
  traces.reserve(choices.size());
  for (std::size_t t = 0; t < choices.size(); ++t) {
    traces.push_back(step(t, t == 0 ? layout_.start : token_of(t - 1, choices[t - 1]), t == 0 ? nullptr : &traces.back()));
  }
  return traces;
}

std::vector<Controller::Step> Controller::evaluate(const std::vector<std::size_t>& choices) const {
  std::vector<Step> steps;
  const std::vector<Trace> traces = run(choices);
  for (std::size_t t = 0; t < choices.size(); ++t) {
    Step step{std::log(traces[t].probabilities[choices[t]]), 0};
    for (const double p : traces[t].probabilities) step.entropy -= p > 0 ? p * std::log(p) : 0;
    steps.push_back(step);
  }
  return steps;
}

void Controller::add_gradient(const std::vector<std::size_t>& choices, const std::vector<double>& coefficients, double entropy_coefficient,
                              std::vector<double>& gradient) const {
  const std::size_t hidden = size_.hidden, inputs = size_.embedding + hidden + 1;
  const std::vector<Trace> traces = run(choices);
  std::vector<double> d_hidden(hidden, 0.0), d_cell(hidden, 0.0);  // from the steps after
  for (std::size_t t = choices.size(); t-- > 0;) {
    const Trace& now = traces[t];
    double entropy = 0;
    for (const double p : now.probabilities) entropy -= p > 0 ? p * std::log(p) : 0;
    for (std::size_t k = 0; k < now.probabilities.size(); ++k) {
      const double p = now.probabilities[k];
      const double d_logit =
          coefficients[t] * ((k == choices[t] ? 1.0 : 0.0) - p) - entropy_coefficient * (p > 0 ? p * (std::log(p) + entropy) : 0.0);
      const std::size_t row = head_offset(t) + k * (hidden + 1);
      for (std::size_t i = 0; i < hidden; ++i) {
        gradient[row + i] += d_logit * now.hidden[i];
        d_hidden[i] += d_logit * parameters_[row + i];
      }
      gradient[row + hidden] += d_logit;
    }
    const Trace* const before = t > 0 ? &traces[t - 1] : nullptr;
    std::vector<double> d_gates(4 * hidden);
    for (std::size_t i = 0; i < hidden; ++i) {
      const double in = now.gates[i], forget = now.gates[hidden + i], out = now.gates[2 * hidden + i], fresh = now.gates[3 * hidden + i];
      const double squashed = std::tanh(now.cell[i]);
      const double d_c = d_cell[i] + d_hidden[i] * out * (1 - squashed * squashed);
      d_gates[i] = d_c * fresh * in * (1 - in);
      d_gates[hidden + i] = before ? d_c * before->cell[i] * forget * (1 - forget) : 0.0;
      d_gates[2 * hidden + i] = d_hidden[i] * squashed * out * (1 - out);
      d_gates[3 * hidden + i] = d_c * in * (1 - fresh * fresh);
      d_cell[i] = d_c * forget;
    }
    std::fill(d_hidden.begin(), d_hidden.end(), 0.0);
    for (std::size_t g = 0; g < 4 * hidden; ++g) {
      const std::size_t row = layout_.recurrent + g * inputs;
      for (std::size_t i = 0; i < size_.embedding; ++i) {
        gradient[row + i] += d_gates[g] * parameters_[now.token + i];
        gradient[now.token + i] += d_gates[g] * parameters_[row + i];
      }
      for (std::size_t i = 0; before && i < hidden; ++i) {
        gradient[row + size_.embedding + i] += d_gates[g] * before->hidden[i];
        d_hidden[i] += d_gates[g] * parameters_[row + size_.embedding + i];
      }
      gradient[row + inputs - 1] += d_gates[g];
    }
  }
}

}  // namespace actsearch
