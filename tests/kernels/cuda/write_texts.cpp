// Writes the CUDA text of tests/kernels/cuda/cases.h as one C++ source, each in a namespace of its own, unchanged; and the device functions
// alone of some formulas of tests/kernels/finite_cases.h.

#include <fstream>
#include <string>
#include <vector>

#include "kernels/cuda/source.h"
#include "tests/kernels/cuda/cases.h"
#include "tests/kernels/finite_cases.h"

namespace actsearch {
namespace {

/// Value and slope of each formula, as a table of functions under the name `table`.
void write_functions(std::ostream& out, const std::string& prefix, const std::string& table, const std::vector<Expression>& formulas) {
  std::string rows;
  for (std::size_t i = 0; i < formulas.size(); ++i) {
    const Program program = lower(formulas[i]);
    const std::string space = prefix + "_" + std::to_string(i), source = cuda_source(program, Storage::kFp32, 1);
    const std::size_t helpers = source.find("#define PARAMETERS"), begin = source.find('\n', helpers), end = source.find("\nstruct ");
    out << "namespace " << space << " {\n" << source.substr(begin, end - begin) << "}\n";
    std::string betas, slopes;
    for (int k = 0; k < program.parameter_count(); ++k) {
      betas += ", beta[" + std::to_string(k) + "]";
      slopes += ", slopes[" + std::to_string(k) + "]";
    }
    rows += "  [](float x, const float* beta, float* y, float* dydx) {\n    float slopes[16];\n    *y = " + space + "::activation(x" +
            betas + ");\n    *dydx = " + space + "::derivative(x" + betas + slopes + "); },\n";
  }
  const std::string array = "void (*const " + table + "[])(float x, const float* beta, float* y, float* dydx)";
  out << "extern " << array << ";\n" << array << " = {\n" << rows << "};\n";
}

}  // namespace
}  // namespace actsearch

int main(int count, char** words) {
  using namespace actsearch;
  if (count != 2) return 2;
  std::ofstream out(words[1]);
  out << "#include \"tests/kernels/cuda/shim.h\"\n";
  std::string table;
  int number = 0;
  for (const auto& [formula, storage, width] : testing::cuda_cases()) {
    const std::string space = "case_" + std::to_string(number++);
    out << "namespace " << space << " {\nfloat lines[4096];\n" << cuda_source(lower(formula), storage, width) << "}\n";
    out << "#undef WIDTH\n#undef PARAMETERS\n";
    const std::string stored = "static_cast<const " + space + "::Stored*>", out_stored = "static_cast<" + space + "::Stored*>";
    table += "  {[](auto z, auto scale, auto shift, auto beta, void* y, auto rows, auto channels) {\n    " + space +
             "::activation_forward(" + stored + "(z), scale, shift, beta, " + out_stored + "(y), rows, channels); },\n";
    table += "   [](auto z, auto dy, auto scale, auto shift, auto beta, auto sums, auto rows, auto channels) {\n    " + space +
             "::activation_sums(" + stored + "(z), " + stored + "(dy), scale, shift, beta, sums, rows, channels); },\n";
    table +=
        "   [](auto z, auto dy, auto scale, auto shift, auto beta, auto a, auto b, auto d, void* dz, auto rows, auto channels) {\n    " +
        space + "::activation_apply(" + stored + "(z), " + stored + "(dy), scale, shift, beta, a, b, d, " + out_stored +
        "(dz), rows, channels); }},\n";
  }
  out << "extern const cuda_shim::Kernels kCudaKernels[];\nconst cuda_shim::Kernels kCudaKernels[] = {\n" << table << "};\n";
  std::vector<Expression> finite, smooth;
  const auto all = testing::finite_formulas();
  for (std::size_t i = 0; i < all.size(); i += testing::kFiniteCudaStep) finite.push_back(all[i]);
  for (const testing::SmoothAtZero& one : testing::smooth_at_zero()) smooth.push_back(parse(one.formula));
  write_functions(out, "finite", "kFiniteCudaFunctions", finite);
  write_functions(out, "smooth", "kSmoothCudaFunctions", smooth);
  return out.good() ? 0 : 1;
}
