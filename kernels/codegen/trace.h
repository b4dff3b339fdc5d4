/// A Program spelled out in intrinsics: what every language prints.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/program.h"
#include "kernels/codegen/intrinsics.h"

namespace actsearch {

/// One value, named by its place in the graph. Arguments come before the calls that use them; equal values are one node.
struct IntrinsicNode {
  enum class Kind : std::uint8_t { kInput, kParameter, kNumber, kCall };
  Kind kind = Kind::kInput;
  Intrinsic intrinsic = Intrinsic::kAdd;  ///< of a kCall
  std::uint32_t a = 0, b = 0;             ///< arguments of a kCall; b only where the word has two
  int parameter = 0;                      ///< of a kParameter
  double number = 0;                      ///< of a kNumber
  bool is_instruction = false;            ///< the result of a whole instruction of the Program, so worth a name of its own
};

/// Every instruction's function recorded as calls of intrinsics. What depends on neither x nor a parameter is computed, in double. So
/// an argument that is a number is written as one, and no call has numbers alone.
struct IntrinsicGraph {
  std::vector<IntrinsicNode> nodes;
  std::uint32_t y = 0, dydx = 0;
  std::vector<std::uint32_t> dydbeta;  ///< one a parameter
};
IntrinsicGraph trace(const Program& program);

/// Which values some results are computed from; with `known`, that value is given and not computed.
class Reach {
 public:
  Reach(const IntrinsicGraph& graph, const std::vector<std::uint32_t>& results, std::int64_t known = -1);
  bool needs(std::uint32_t node) const { return needed_[node]; }
  bool needs_input() const { return input_; }
  bool needs_parameter(int parameter) const;

 private:
  std::vector<bool> needed_;
  std::vector<int> parameters_;
  bool input_ = false;
};

}  // namespace actsearch
