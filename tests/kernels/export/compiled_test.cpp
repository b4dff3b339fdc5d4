// The targets c and cuda, compiled and run beside the double reference.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "kernels/cuda/nvrtc.h"
#include "tests/kernels/export/cases.h"
#include "tests/kernels/export/folder.h"
#include "tests/kernels/finite_cases.h"

namespace actsearch::testing {
namespace {

/// A shared library that goes with the object.
class Library {
 public:
  explicit Library(const std::string& file) : handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
  }
  ~Library() { dlclose(handle_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  template <class Function>
  Function find(const std::string& name) const {
    void* const symbol = dlsym(handle_, name.c_str());
    if (symbol == nullptr) throw std::runtime_error("no symbol " + name);
    return reinterpret_cast<Function>(symbol);
  }

 private:
  void* handle_;
};

template <class Real>
struct Functions2 {
  Real (*value)(Real, const Real*);
  Real (*derivative)(Real, const Real*, Real*);
};

/// Compares one precision of all cases; `bound` chooses the bound of a point. Returns how many values were compared.
template <class Real>
int compare(const std::function<Functions2<Real>(const ExportCase&)>& functions,
            const std::optional<std::vector<double>> ExportPoint::*bound) {
  int compared = 0;
  for (const ExportCase& c : export_cases()) {
    const Functions2<Real> f = functions(c);
    for (const ExportPoint& point : c.points) {
      const std::vector<Real> beta(point.beta.begin(), point.beta.end());
      std::vector<Real> dydbeta(beta.size(), Real(-1));
      const auto x = static_cast<Real>(point.x);
      std::vector<double> values{f.value(x, beta.data())};
      values.push_back(f.derivative(x, beta.data(), dydbeta.data()));
      values.insert(values.end(), dydbeta.begin(), dydbeta.end());
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (std::isnan(point.x)) {
          EXPECT_EQ(std::isnan(values[i]), std::isnan(point.values[i])) << c.activation.formula << " of NaN, result " << i;
        } else if (point.*bound) {
          EXPECT_NEAR(values[i], point.values[i], (*(point.*bound))[i]) << c.activation.formula << " at " << point.x << ", result " << i;
        } else {
          continue;
        }
        ++compared;
      }
    }
  }
  return compared;
}

/// A file that includes the header of every case and gives its functions names that can be looked up.
std::string program_with(const std::string& begin, const ExportTarget& target, bool has_double) {
  std::string text = begin, exports;
  for (const ExportCase& c : export_cases()) {
    text += target.write(c.activation);
    const auto function = [&](const std::string& real, const std::string& suffix) {
      const std::string name = "activation_" + c.activation.name + suffix;
      exports += real + " run_" + name + "(" + real + " x, const " + real + " *beta) { return " + name + "(x, beta); }\n";
      exports += real + " run_" + name + "_derivative(" + real + " x, const " + real + " *beta, " + real + " *dydbeta) { return " + name +
                 "_derivative(x, beta, dydbeta); }\n";
    };
    if (has_double) function("double", "");
    function("float", has_double ? "f" : "");
  }
  return text + exports;
}

template <class Real>
Functions2<Real> functions_of(const Library& library, const ExportCase& c, const std::string& suffix) {
  const std::string name = "run_activation_" + c.activation.name + suffix;
  return {library.find<Real (*)(Real, const Real*)>(name), library.find<Real (*)(Real, const Real*, Real*)>(name + "_derivative")};
}

const ExportTarget& target_of(std::string_view name) {
  for (const ExportTarget& target : export_targets()) {
    if (target.name == name) return target;
  }
  throw std::logic_error("no such target");
}

TEST(ExportedC, AgreesWithTheReferenceInBothPrecisions) {
  const Folder folder;
  folder.write("all.c", program_with("", target_of("c"), true));
  const std::string library = folder / "all.so";
  const Shell compiled =
      shell("gcc -std=c99 -O1 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -o " + library + " " + (folder / "all.c") + " -lm");
  if (compiled.code == 127) GTEST_SKIP() << "gcc, which compiles the C files, is not installed";
  ASSERT_EQ(compiled.code, 0) << compiled.output.substr(0, 4000);
  const Library loaded(library);
  EXPECT_GT(compare<double>([&](const ExportCase& c) { return functions_of<double>(loaded, c, ""); }, &ExportPoint::double_bound), 6'000);
  EXPECT_GT(compare<float>([&](const ExportCase& c) { return functions_of<float>(loaded, c, "f"); }, &ExportPoint::single_bound), 6'000);
}

std::string function_name(std::size_t i) { return std::string("safe").append(std::to_string(i)); }

// Not only within the bound, which allows small values an error of larger ones, but good relatively.
TEST(ExportedC, IsAccurateFarOutWhereTheFunctionIsFinite) {
  const Folder folder;
  std::string text;
  for (std::size_t i = 0; i < safe_formulas().size(); ++i) {
    const std::string name = function_name(i);
    text += written("c", ExportedActivation(parse(safe_formulas()[i]), name, {}));
    text += "float run_" + name + "(float x) { return activation_" + name + "f(x, 0); }\n";
  }
  folder.write("far.c", text);
  const std::string library = folder / "far.so";
  const Shell compiled = shell("gcc -std=c99 -O1 -shared -fPIC -o " + library + " " + (folder / "far.c") + " -lm");
  if (compiled.code == 127) GTEST_SKIP() << "gcc, which compiles the C files, is not installed";
  ASSERT_EQ(compiled.code, 0) << compiled.output;
  const Library loaded(library);
  for (std::size_t i = 0; i < safe_formulas().size(); ++i) {
    const auto f = loaded.find<float (*)(float)>("run_" + function_name(i));
    for (const float x : {-100.0f, -80.0f, -30.0f, -17.0f, 17.0f, 30.0f, 80.0f, 100.0f}) {
      const double expected = evaluate_forward(lower(parse(safe_formulas()[i])), x, {});
      // Five roundings of values whose relative error the functions pass on at most unchanged. A denormal has an absolute error, times x.
      EXPECT_NEAR(f(x), expected, 5 * 0x1p-24 * std::abs(expected) + 0x1p-149 * std::abs(x)) << safe_formulas()[i] << " at " << x;
    }
  }
}

TEST(ExportedC, HasTheSlopesOfSmoothFunctionsAtZero) {
  const Folder folder;
  std::string text;
  for (std::size_t i = 0; i < smooth_at_zero().size(); ++i) {
    const std::string name = "zero" + std::to_string(i), function = "activation_" + name;
    text += written("c", ExportedActivation(parse(smooth_at_zero()[i].formula), name, {}));
    for (const auto& [real, suffix] : {std::pair("double", ""), std::pair("float", "f")}) {
      text += std::string(real) + " run_" + name + suffix + "(" + real + " x, int slope) { return slope ? " + function + suffix +
              "_derivative(x, 0, 0) : " + function + suffix + "(x, 0); }\n";
    }
  }
  folder.write("zero.c", text);
  const std::string library = folder / "zero.so";
  const Shell compiled =
      shell("gcc -std=c99 -O1 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -o " + library + " " + (folder / "zero.c") + " -lm");
  if (compiled.code == 127) GTEST_SKIP() << "gcc, which compiles the C files, is not installed";
  ASSERT_EQ(compiled.code, 0) << compiled.output;
  const Library loaded(library);
  for (std::size_t i = 0; i < smooth_at_zero().size(); ++i) {
    const SmoothAtZero& expected = smooth_at_zero()[i];
    const auto in_double = loaded.find<double (*)(double, int)>("run_zero" + std::to_string(i));
    const auto in_single = loaded.find<float (*)(float, int)>("run_zero" + std::to_string(i) + "f");
    EXPECT_NEAR(in_double(0, 0), expected.y, 1e-12) << expected.formula;
    EXPECT_NEAR(in_double(0, 1), expected.slope, 1e-12) << expected.formula;
    EXPECT_NEAR(in_single(0, 0), expected.y, 1e-6) << expected.formula;
    EXPECT_NEAR(in_single(0, 1), expected.slope, 1e-6) << expected.formula;
  }
}

TEST(ExportedC, KeepsFunctionsApartThatAreEqualOnlyWhereNetworksMostlyAre) {
  const Folder folder;
  const ExportedActivation relu(parse("relu"), "", {}), relu6(parse("min(max(x, 0), 6)"), "", {});
  folder.write("both.c", written("c", relu) + written("c", relu6) + "double run_relu(double x) { return activation_" + relu.name +
                             "(x, 0); }\ndouble run_relu6(double x) { return activation_" + relu6.name + "(x, 0); }\n");
  const std::string library = folder / "both.so";
  const Shell compiled = shell("gcc -std=c99 -shared -fPIC -o " + library + " " + (folder / "both.c") + " -lm");
  if (compiled.code == 127) GTEST_SKIP() << "gcc, which compiles the C files, is not installed";
  ASSERT_EQ(compiled.code, 0) << compiled.output;
  const Library loaded(library);
  EXPECT_EQ(loaded.find<double (*)(double)>("run_relu6")(8), 6);
  EXPECT_EQ(loaded.find<double (*)(double)>("run_relu")(8), 8);
}

TEST(ExportedCuda, AgreesWithTheReferenceWhenItIsExecutedOnTheCpu) {
  const Folder folder;
  const std::string begin = "#include \"tests/kernels/cuda/shim.h\"\nextern \"C\" {\n";
  std::string text = program_with(begin, target_of("cuda"), false) + "}\n";
  for (std::size_t at = 0; (at = text.find("#pragma once\n", at)) != std::string::npos;) text.erase(at, 13);  // it is one file here
  folder.write("all.cpp", text);
  const std::string library = folder / "all.so";
  const Shell compiled = shell(std::string(ACTSEARCH_CXX) + " -std=c++20 -O1 -Wall -Wextra -Werror -Wno-unused-function -shared -fPIC -I" +
                               ACTSEARCH_SOURCE_DIR + " -o " + library + " " + (folder / "all.cpp"));
  ASSERT_EQ(compiled.code, 0) << compiled.output.substr(0, 4000);
  const Library loaded(library);
  EXPECT_GT(compare<float>([&](const ExportCase& c) { return functions_of<float>(loaded, c, ""); }, &ExportPoint::single_bound), 6'000);
}

TEST(ExportedCuda, CompilesForADevice) {
  std::unique_ptr<Nvrtc> nvrtc;
  try {
    nvrtc = std::make_unique<Nvrtc>();
  } catch (const CudaMissing& missing) {
    GTEST_SKIP() << missing.what();
  }
  // One source of many headers: what is compiled is the whole of each.
  std::string source, kernel = "extern \"C\" __global__ void all(const float* x, const float* beta, float* y) {\n  float dydbeta[16];\n";
  for (const ExportCase& c : export_cases()) {
    source += written("cuda", c.activation);
    const std::string name = "activation_" + c.activation.name;
    kernel += "  y[threadIdx.x] += " + name + "(x[threadIdx.x], beta) + " + name + "_derivative(x[threadIdx.x], beta, dydbeta);\n";
    kernel += "  y[threadIdx.x] += dydbeta[0];\n";
    if (source.size() > 60'000 || &c == &export_cases().back()) {
      const Nvrtc::Compiled compiled = nvrtc->compile(source + kernel + "}\n", "sm_90");
      EXPECT_EQ(compiled.cubin.substr(0, 4), "\177ELF");
      source.clear();
      kernel.resize(kernel.find("dydbeta[16];\n") + 13);
    }
  }
}

}  // namespace
}  // namespace actsearch::testing
