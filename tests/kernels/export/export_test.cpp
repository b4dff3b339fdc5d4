// What the targets write, as text: that each can write every function, how files begin, what is refused and why.

#include "kernels/export/export.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <sstream>

#include "grammar/notation.h"
#include "grammar/operators.h"
#include "kernels/codegen/print.h"
#include "kernels/export/protobuf.h"
#include "kernels/export/python_parts.h"
#include "tests/kernels/export/cases.h"

namespace actsearch {
namespace {

using testing::written;

ExportedActivation exported(std::string_view formula, std::string_view name = "") {
  return ExportedActivation(parse(formula), name, {"Given for a test."});
}

Code in_double(const ExportedActivation& activation, const Language& language) {
  return print(activation.graph, {activation.graph.y}, language, {"x", {"beta0", "beta1"}});
}

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const InexpressibleError& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(ExportTargets, AreThoseOfTheCommandLine) {
  std::vector<std::string_view> names;
  for (const ExportTarget& target : export_targets()) names.push_back(target.name);
  EXPECT_EQ(names, (std::vector<std::string_view>{"pytorch", "jax", "keras", "onnx", "cuda", "c", "latex", "sympy", "mathml"}));
}

// An operator or function made of known intrinsics is in every target without a word here or there.
TEST(ExportTargets, WriteEveryFunctionOperatorAndActivation) {
  for (const Expression& formula : testing::table_formulas()) {
    const ExportedActivation activation(formula, "", {});
    for (const ExportTarget& target : export_targets()) {
      EXPECT_GT(target.write(activation).size(), 100u) << target.name << " of " << activation.formula;
    }
  }
}

/// The fields of a Protocol Buffers message that hold bytes, in their order: number and contents.
std::vector<std::pair<std::uint64_t, std::string_view>> fields_of(std::string_view message) {
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(0));
      message.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
  };
  std::vector<std::pair<std::uint64_t, std::string_view>> fields;
  while (!message.empty()) {
    const std::uint64_t tag = varint(), value = varint();
    if ((tag & 7U) != 2) continue;  // a number
    fields.emplace_back(tag >> 3, message.substr(0, value));
    message.remove_prefix(value);
  }
  return fields;
}

TEST(ExportTargets, OnnxNodesUseWhatIsThereAndGiveEachValueOnce) {
  constexpr std::uint64_t kGraph = 7, kNode = 1, kInput = 1, kOutput = 2;
  for (const Expression& formula : testing::table_formulas()) {
    const ExportedActivation activation(formula, "", {});
    const auto betas = activation.parameter_names();
    std::set<std::string_view> there(betas.begin(), betas.end());
    there.insert("x");
    std::string model;
    for (const ExportTarget& target : export_targets()) {
      if (target.write_inlined) model = target.write_inlined(activation);
    }
    for (const auto& [part, graph] : fields_of(model)) {
      if (part != kGraph) continue;
      for (const auto& [kind, node] : fields_of(graph)) {
        if (kind != kNode) continue;
        for (const auto& [field, name] : fields_of(node)) {
          if (field == kInput) {
            EXPECT_TRUE(there.contains(name)) << name << " in " << activation.formula;
          } else if (field == kOutput) {
            EXPECT_TRUE(there.insert(name).second) << name << " in " << activation.formula;
          }
        }
      }
    }
    for (const std::string_view result : {"y", "dydx"}) EXPECT_TRUE(there.contains(result)) << activation.formula;
  }
}

TEST(ExportTargets, EveryLanguageHasEveryIntrinsic) {
  for (const Language& language : {c_double_language("p_"), c_float_language("p_"), cuda_language("p_"), torch_language(), jax_language(),
                                   keras_language(), sympy_language(), onnx_language()}) {
    for (std::size_t i = 0; i < kIntrinsicCount; ++i) {
      const auto intrinsic = static_cast<Intrinsic>(i);
      const std::string word = spelled(language, intrinsic, "first", "second");
      EXPECT_NE(word.find("first"), std::string::npos) << language.name << " " << intrinsic_name(intrinsic);
      EXPECT_EQ(word.find("second") != std::string::npos, intrinsic_arity(intrinsic) == 2) << language.name << " " << word;
      EXPECT_EQ(word.find_first_of("@$#"), std::string::npos) << word;
    }
  }
}

TEST(ExportTargets, AWordThatALanguageLacksIsNamed) {
  Language poor = c_double_language("");
  poor.word(Intrinsic::kErf).clear();
  const std::string message = message_of([&] { in_double(exported("gelu"), poor); });
  EXPECT_NE(message.find("target c"), std::string::npos) << message;
  EXPECT_NE(message.find("'erf'"), std::string::npos) << message;
  EXPECT_EQ(in_double(exported("swish1"), poor).results.size(), 1u) << "what does not need the word is written";
}

TEST(ExportTargets, SinglePrecisionRefusesNumbersThatItHasNot) {
  for (const ExportTarget& target : export_targets()) {
    const bool is_single = target.name == "onnx" || target.name == "cuda" || target.name == "c";
    for (const char* formula : {"x * 1e60", "x + 1e-60"}) {
      const std::string message = message_of([&] { target.write(exported(formula)); });
      EXPECT_EQ(message.find("cannot express the number 1e") != std::string::npos, is_single) << target.name << ": " << message;
    }
  }
}

TEST(ExportTargets, AFormulaTooLargeToShowIsRefusedWhereItIsShown) {
  Expression formula = Expression::input();
  for (int i = 0; i < 600; ++i) formula = Expression::call<Sin>(formula);
  const ExportedActivation deep(formula, "", {});
  EXPECT_NE(written("c", deep).find("t599"), std::string::npos) << "code has a line for each function";
  // Its derivative has the formula of every depth in it, 180,000 nodes: that is left out, the formula is not.
  const std::string latex = written("latex", deep);
  EXPECT_NE(latex.find("f(x) &= \\sin(\\sin("), std::string::npos);
  EXPECT_NE(latex.find("f'(x) &= \\text{(too large to print)}"), std::string::npos);
  const std::string message = message_of([&] { written("mathml", deep); });
  EXPECT_NE(message.find("target mathml cannot express the formula"), std::string::npos) << message;
  EXPECT_NE(message.find("nested too deep"), std::string::npos) << message;
}

TEST(ExportHeader, BeginsWithTheFormulaAndStatesOriginAndLicence) {
  for (const ExportTarget& target : export_targets()) {
    const std::string text = target.write(exported("x * sigmoid(beta * x)", "swish"));
    const std::size_t formula = text.find("y = x * sigmoid(beta * x)"), origin = text.find("Given for a test."),
                      licence = text.find("SPDX-License-Identifier: MIT");
    ASSERT_NE(licence, std::string::npos) << target.name;
    EXPECT_LT(formula, target.is_binary ? 60u : 10u) << target.name;
    EXPECT_LT(formula, origin) << target.name;
    EXPECT_LT(origin, licence) << target.name;
  }
}

TEST(ExportHeader, NoTextFromADatabaseLeavesItsComment) {
  const std::vector<std::string> hostile{"a\nimport os",
                                         "b\r\nint broken;",
                                         "c */ int broken; /*",
                                         "d --> <script>",
                                         "e ends with \\",
                                         "f ?"
                                         "?/",
                                         "g \"\"\" quotes \u202e backwards",
                                         std::string("h\0null", 6)};
  const ExportedActivation activation(parse("swish"), "swish", hostile);
  for (const ExportTarget& target : export_targets()) {
    if (target.is_binary) continue;
    std::istringstream lines(target.write(activation));
    const std::string comment = target.name == "cuda" || target.name == "c" ? "//" : target.name == "latex" ? "%" : "#";
    bool in_xml_comment = false;
    int found = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("<!--")) in_xml_comment = true;
      const bool is_hostile = line.find("import os") != std::string::npos || line.find("broken") != std::string::npos ||
                              line.find("<script>") != std::string::npos || line.find("quotes") != std::string::npos;
      if (is_hostile) {
        ++found;
        EXPECT_TRUE(target.name == "mathml" ? in_xml_comment : line.starts_with(comment)) << target.name << ": " << line;
        EXPECT_EQ(line.find("-->"), std::string::npos) << line;
      }
      if (line.starts_with("-->")) in_xml_comment = false;
    }
    EXPECT_EQ(found, 5) << target.name;
  }
  for (const std::string& line : header_lines(activation)) {
    EXPECT_EQ(line.find_first_of("\\\r\n"), std::string::npos) << line;
    EXPECT_EQ(line.find("?"
                        "?/"),
              std::string::npos)
        << line;
    EXPECT_EQ(line.find("--"), std::string::npos) << line;
  }
}

TEST(ExportNames, AreWordsOfTheFormulaAndDifferent) {
  std::set<std::string> names;
  for (const char* formula : {"x", "-x", "x + 1", "x - 1", "-(x + 1)", "0.5 * x", "sin(x) * x", "sin(x * x)", "1e-07 + x",
                              "max(x, sin(x + max(x, cos(x * exp(x)))))", "--x"}) {
    const std::string name = name_of(to_text(parse(formula)));
    EXPECT_TRUE(name.front() >= 'a' && name.front() <= 'z') << name;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos) << name;
    EXPECT_LT(name.size(), 48u);
    EXPECT_TRUE(names.insert(name).second) << formula;
  }
  EXPECT_EQ(name_of("x * sigmoid(beta * x)").substr(0, 28), "x_times_sigmoid_beta_times_x");
  EXPECT_EQ(exported("swish", "max_x_sigmoid").class_name, "MaxXSigmoid");
}

TEST(ExportNames, AreWellKnownOnesOnlyForTheFormulaThatIsKnown) {
  for (const auto& [formula, name] :
       {std::pair("relu", "relu"), std::pair("max(0, x)", "relu"), std::pair("sigmoid(beta * x) * x", "swish"),
        std::pair("x * sigmoid(x)", "swish1"), std::pair("tanh(x)", "tanh")}) {
    EXPECT_EQ(exported(formula).name, name) << formula;
  }
  // Equal where networks mostly are, or equal everywhere but not by a rule that the export proves.
  for (const char* formula : {"min(max(x, 0), 6)", "(x + abs(x)) / 2", "min(x, 20)", "max(-6, min(6, x))", "x - 0 * x",
                              "sigmoid(beta * x) * beta", "x * sigmoid(x) + greater(x, 7) * 100", "x / (1 + exp(-x))"}) {
    const ExportedActivation activation = exported(formula);
    EXPECT_EQ(activation.name, name_of(activation.formula)) << formula;
  }
}

TEST(ExportNames, DifferBetweenFormulasInEveryFormThatTheyTake) {
  std::set<std::string> names, classes, guards, registrations;
  std::vector<Expression> formulas = testing::export_formulas();
  for (const char* formula : {"min(max(x, 0), 6)", "x - 1", "x + 1", "-(x + 1)", "sigmoid(10 * x)", "sigmoid(1 * x) * 0"})
    formulas.push_back(parse(formula));
  std::set<std::string> met;
  for (const Expression& formula : formulas) {
    const ExportedActivation activation(formula, "", {});
    if (!met.insert(activation.formula).second) continue;
    const std::string c = written("c", activation), keras = written("keras", activation);
    const std::size_t guard = c.find("#ifndef ") + 8, layer = keras.find("\nclass ") + 7;
    EXPECT_TRUE(names.insert(activation.name).second) << activation.formula;
    EXPECT_TRUE(classes.insert(activation.class_name).second) << activation.formula;
    EXPECT_TRUE(guards.insert(c.substr(guard, c.find('\n', guard) - guard)).second) << activation.formula;
    EXPECT_TRUE(registrations.insert(keras.substr(layer, keras.find('(', layer) - layer)).second) << activation.formula;
  }
  EXPECT_GT(names.size(), 250u);
}

TEST(ExportedFormulas, NumberTheParametersOfADerivativeAsTheFormulaDoes) {
  const ExportedActivation activation = exported("beta * sigmoid(x) + sin(x - beta)");
  const std::string latex = written("latex", activation), mathml = written("mathml", activation);
  EXPECT_NE(latex.find("\\frac{\\partial f}{\\partial \\beta_{1}} &= -\\cos(x - \\beta_{1})"), std::string::npos) << latex;
  const std::size_t last = mathml.rfind("<p class=\"slope-by-beta\">");
  EXPECT_NE(mathml.find("<msub><mi>β</mi><mn>1</mn></msub>", last), std::string::npos) << mathml;
  EXPECT_NE(written("latex", exported("swish")).find("\\partial \\beta}"), std::string::npos) << "a single one has no number";
}

TEST(ExportedCode, ComputesSharedPartsOnceAndNamesInstructions) {
  const Code code = in_double(exported("sigmoid(x) * x + sigmoid(x)"), c_double_language(""));
  EXPECT_EQ(code.lines,
            "  const double t0 = logistic(x);\n"
            "  const double t1 = t0 * x;\n"
            "  const double t2 = t1 + t0;\n");
  EXPECT_EQ(code.results, std::vector<std::string>{"t2"});
}

TEST(ExportedCode, ComputesWhatDependsOnNothingBeforehand) {
  const Code code = in_double(exported("x * exp(0) - log(-1)"), torch_language());
  EXPECT_EQ(code.lines, "    t0 = x * 1.0\n    t1 = t0 - float(\"nan\")\n");
}

TEST(ExportedCode, KeepsTheOutputWhereTheSlopesNeedNoMore) {
  const auto kept = [](const char* formula) { return kept_by(exported(formula)); };
  for (const char* formula : {"tanh(x)", "sigmoid(x)", "exp(x)", "sqrt(x)", "sigmoid(x + beta)"})
    EXPECT_EQ(kept(formula), Kept::kOutput) << formula;
  for (const char* formula : {"relu", "swish", "softplus(x)", "beta * tanh(x)"}) EXPECT_EQ(kept(formula), Kept::kInput) << formula;
  for (const char* formula : {"x", "-x", "x + beta", "3 * x", "beta + 0 * x"}) EXPECT_EQ(kept(formula), Kept::kNothing) << formula;
}

TEST(Protobuf, WritesVarintsAndLengths) {
  ProtobufMessage inner;
  inner.integer(1, 150);
  EXPECT_EQ(inner.serialized(), std::string("\x08\x96\x01", 3)) << "the example of the format's documentation";
  EXPECT_EQ(ProtobufMessage().bytes(2, "testing").serialized(), "\x12\x07testing");
  EXPECT_EQ(ProtobufMessage().message(3, inner).serialized(), std::string("\x1a\x03\x08\x96\x01", 5));
  EXPECT_EQ(ProtobufMessage().integer(25, 0).serialized(), std::string("\xc8\x01\x00", 3));
}

TEST(ExportTargets, HaveAnExtensionForTheirFiles) {
  for (const ExportTarget& target : export_targets()) {
    EXPECT_EQ(target.extension.find('.'), 0u) << target.name;
    EXPECT_GT(target.extension.size(), 1u) << target.name;
  }
}

}  // namespace
}  // namespace actsearch
