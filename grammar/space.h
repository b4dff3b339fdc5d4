/// The spaces that a search looks through: all ways to compose core units b(u1(s1), u2(s2)), addressed by an index.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/operators.h"

namespace actsearch {

/// All formulas of a number of core units in sequence. A unit's inputs s1 and s2 are each x or the output of an earlier unit; the
/// last unit's output is the activation. Immutable; nothing is materialised.
///
/// The size counts spellings: with U unary and B binary operators, unit i (from 1) can be written in (i·U)²·B ways. With the whole
/// alphabet that is 6,250 for core1, 156,250,000 for core2 and 8,789,062,500,000 for core3. Several spellings may be one function
/// (grammar/fingerprint.h).
class Space {
 public:
  /// core1, core2, core3. An absent list of operators is the whole alphabet. std::invalid_argument for a name of no space or
  /// operator (the message lists the known ones), a list that is empty and an operator named twice.
  explicit Space(std::string_view name, const std::optional<std::vector<std::string>>& unary = std::nullopt,
                 const std::optional<std::vector<std::string>>& binary = std::nullopt);

  const std::string& name() const { return name_; }
  int units() const { return units_; }
  const std::vector<const OperatorInfo*>& unary() const { return unary_; }
  const std::vector<const OperatorInfo*>& binary() const { return binary_; }
  std::uint64_t size() const { return size_; }

  /// The formula at an index below size() (std::out_of_range otherwise), its parameters in order. Each use of an operator with a
  /// parameter has its own; a unit that is used twice is one shared node, and so shares them.
  Expression at(std::uint64_t index) const;
  /// Its operators by name: "sigmoid_mul(beta_times(x), identity(x))"; with several units "a = …; b = …; mul(identity(x), tanh(b))".
  std::string describe(std::uint64_t index) const;
  /// What an index stands for, choice by choice: for each unit the first unary operator, its input (0 is x, i the output of unit i), the
  /// second unary operator, its input, and the binary operator, each as a place in its list. kind() says which a choice is.
  enum class Choice : std::uint8_t { kUnary, kInput, kBinary };
  static constexpr std::size_t kChoicesPerUnit = 5;
  static Choice kind(std::size_t choice);
  /// How many ways there are for each choice; as many as there are choices.
  const std::vector<std::size_t>& radices() const { return radices_; }
  /// std::out_of_range for an index or choices that are not of this space.
  std::vector<std::size_t> choices(std::uint64_t index) const;
  std::uint64_t index_of(const std::vector<std::size_t>& choices) const;
  /// An index drawn by a uniform random number; the bias is below size() / 2^64.
  std::uint64_t sample(std::uint64_t random) const { return random % size_; }

 private:
  /// One argument of a unit: a unary operator and what it is applied to (0 is x, i is the output of unit i).
  struct Argument {
    const OperatorInfo* unary = nullptr;
    std::size_t source = 0;
  };
  struct Unit {
    const OperatorInfo* binary = nullptr;
    std::array<Argument, 2> arguments;
  };
  /// The digits of the index in the mixed radix of the choices, the first unit's first.
  std::vector<Unit> decode(std::uint64_t index) const;

  std::string name_;
  int units_;
  std::vector<const OperatorInfo*> unary_, binary_;
  std::uint64_t size_ = 1;
  std::vector<std::size_t> radices_;
};

/// "core1", "core2", "core3".
const std::vector<std::string_view>& space_names();

/// A bijection of [0, size) chosen by a seed, in constant memory: the order of an exhaustive search, so that every prefix of it is
/// a fair sample. A six-round Feistel network over the next power of four, walked until it lands inside.
class SeededPermutation {
 public:
  /// std::invalid_argument if size is 0 or above 2^62.
  SeededPermutation(std::uint64_t size, std::uint64_t seed);
  std::uint64_t size() const { return size_; }
  /// The element at a position below size() (std::out_of_range otherwise).
  std::uint64_t operator()(std::uint64_t position) const;

 private:
  std::uint64_t encrypt(std::uint64_t block) const;

  std::uint64_t size_;
  unsigned half_bits_ = 1;
  std::array<std::uint64_t, 6> keys_{};
};

}  // namespace actsearch
