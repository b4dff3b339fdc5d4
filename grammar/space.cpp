#include "grammar/space.h"

#include <algorithm>
#include <stdexcept>

#include "grammar/hash.h"
#include "grammar/nearest.h"

namespace actsearch {
namespace {

/// "a, b, c", for messages.
std::string listed(const std::vector<std::string_view>& names) {
  std::string result;
  for (const std::string_view name : names) result.append(result.empty() ? "" : ", ").append(name);
  return result;
}

std::vector<const OperatorInfo*> choose(const std::vector<OperatorInfo>& table, std::string_view kind,
                                        const std::optional<std::vector<std::string>>& names) {
  std::vector<const OperatorInfo*> chosen;
  std::vector<std::string_view> known;
  for (const OperatorInfo& info : table) {
    known.push_back(info.name);
    if (!names) chosen.push_back(&info);
  }
  if (!names) return chosen;
  if (names->empty()) throw std::invalid_argument("the list of " + std::string(kind) + " operators is empty");
  for (const std::string& name : *names) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const OperatorInfo& info) { return info.name == name; });
    if (found == table.end()) {
      const std::string suggestion = did_you_mean(name, known);
      throw std::invalid_argument("no " + std::string(kind) + " operator '" + shortened(name) + "'" +
                                  (suggestion.empty() ? ";" : suggestion) + " known are " + listed(known));
    }
    if (std::find(chosen.begin(), chosen.end(), &*found) != chosen.end()) {
      throw std::invalid_argument("the " + std::string(kind) + " operator '" + name + "' is named twice");
    }
    chosen.push_back(&*found);
  }
  return chosen;
}

std::string unit_name(std::size_t source) { return source == 0 ? "x" : std::string(1, static_cast<char>('a' + source - 1)); }

}  // namespace

const std::vector<std::string_view>& space_names() {
  static const std::vector<std::string_view> names{"core1", "core2", "core3"};
  return names;
}

Space::Space(std::string_view name, const std::optional<std::vector<std::string>>& unary,
             const std::optional<std::vector<std::string>>& binary)
    : name_(name), unary_(choose(unary_operators(), "unary", unary)), binary_(choose(binary_operators(), "binary", binary)) {
  const auto& names = space_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw std::invalid_argument("no space '" + shortened(name) + "'; known are " + listed(names));
  units_ = static_cast<int>(found - names.begin()) + 1;
  for (std::size_t unit = 1; unit <= static_cast<std::size_t>(units_); ++unit) {
    radices_.insert(radices_.end(), {unary_.size(), unit, unary_.size(), unit, binary_.size()});
  }
  for (const std::size_t radix : radices_) size_ *= radix;
}

Space::Choice Space::kind(std::size_t choice) {
  constexpr std::array kKinds{Choice::kUnary, Choice::kInput, Choice::kUnary, Choice::kInput, Choice::kBinary};
  static_assert(kKinds.size() == kChoicesPerUnit);
  return kKinds[choice % kChoicesPerUnit];
}

std::vector<std::size_t> Space::choices(std::uint64_t index) const {
  if (index >= size_) throw std::out_of_range("index " + std::to_string(index) + " of a space of " + std::to_string(size_));
  std::vector<std::size_t> choices;
  for (const std::size_t radix : radices_) {
    choices.push_back(static_cast<std::size_t>(index % radix));
    index /= radix;
  }
  return choices;
}

std::uint64_t Space::index_of(const std::vector<std::size_t>& choices) const {
  if (choices.size() != radices_.size()) throw std::out_of_range("choices of another space");
  std::uint64_t index = 0;
  for (std::size_t i = choices.size(); i-- > 0;) {
    if (choices[i] >= radices_[i]) throw std::out_of_range("a choice that is not in the space");
    index = index * radices_[i] + choices[i];
  }
  return index;
}

std::vector<Space::Unit> Space::decode(std::uint64_t index) const {
  const std::vector<std::size_t> chosen = choices(index);
  std::vector<Unit> units(static_cast<std::size_t>(units_));
  for (std::size_t i = 0; i < units.size(); ++i) {
    const std::size_t* const unit = chosen.data() + i * kChoicesPerUnit;
    units[i] = {binary_[unit[4]], {Argument{unary_[unit[0]], unit[1]}, Argument{unary_[unit[2]], unit[3]}}};
  }
  return units;
}

Expression Space::at(std::uint64_t index) const {
  std::vector<Expression> outputs{Expression::input()};
  int next_parameter = 0;
  const auto build = [&next_parameter](const OperatorInfo& info, const std::vector<Expression>& arguments) {
    return info.build(arguments, info.has_parameter ? Expression::parameter(next_parameter++) : Expression(0.0));
  };
  for (const Unit& unit : decode(index)) {
    std::vector<Expression> arguments;
    for (const Argument& argument : unit.arguments) arguments.push_back(build(*argument.unary, {outputs[argument.source]}));
    outputs.push_back(build(*unit.binary, arguments));
  }
  return outputs.back().with_parameters_in_order();
}

std::string Space::describe(std::uint64_t index) const {
  const std::vector<Unit> units = decode(index);
  const auto describe_argument = [](const Argument& argument) {
    const std::string name(argument.unary->name);
    return name == Beta::name ? name : name + "(" + unit_name(argument.source) + ")";
  };
  std::string result;
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (i + 1 < units.size()) result += unit_name(i + 1) + " = ";
    result += std::string(units[i].binary->name) + "(" + describe_argument(units[i].arguments[0]) + ", " +
              describe_argument(units[i].arguments[1]) + ")";
    if (i + 1 < units.size()) result += "; ";
  }
  return result;
}

SeededPermutation::SeededPermutation(std::uint64_t size, std::uint64_t seed) : size_(size) {
  constexpr unsigned kMaxHalfBits = 31;
  if (size == 0 || size > std::uint64_t{1} << (2 * kMaxHalfBits)) throw std::invalid_argument("a permutation of 1 to 2^62 elements");
  while (half_bits_ < kMaxHalfBits && (std::uint64_t{1} << (2 * half_bits_)) < size) ++half_bits_;
  for (std::uint64_t& key : keys_) key = seed = mixed(seed + kGoldenGamma);
}

std::uint64_t SeededPermutation::encrypt(std::uint64_t block) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  std::uint64_t left = block >> half_bits_, right = block & mask;
  for (const std::uint64_t key : keys_) {
    const std::uint64_t next = left ^ (mixed(right + key) & mask);
    left = right;
    right = next;
  }
  return left << half_bits_ | right;
}

std::uint64_t SeededPermutation::operator()(std::uint64_t position) const {
  if (position >= size_) throw std::out_of_range("position beyond the permutation");
  std::uint64_t element = encrypt(position);
  while (element >= size_) element = encrypt(element);
  return element;
}

}  // namespace actsearch
