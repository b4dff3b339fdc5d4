/// The flags of one command: declared, parsed and read with messages that say what is wrong and what would be right.
#pragma once

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/formats/format.h"
#include "evaluator/network/recipe.h"
#include "search/text/format.h"
#include "search/text/score_scale.h"

namespace actsearch {

/// A command line that is wrong.
class UsageError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Texts of tables that live as long as the program.
using Names = std::vector<std::string_view>;

/// The names of a table's rows.
template <class Rows>
Names names_of(const Rows& rows) {
  Names names;
  for (const auto& row : rows) names.push_back(row.name);
  return names;
}

/// Declared first, then parsed once, then read. A word that begins with one dash is an argument, not a flag: formulas do that.
///
/// `known` is what a value may be, or is apt to be: completion offers it. A value that is read by choice() is one of it. The placeholders
/// FILE and DIR stand for paths, and one that ends with ",..." for a list.
class Options {
 public:
  /// What is declared of a flag, or of the arguments without a flag.
  struct Declared {
    std::string name;         ///< without dashes
    std::string placeholder;  ///< of its value; empty where it has none
    std::string help;
    Names known;
    bool repeats = false;
  };

  /// `command` "search", `usage` what follows it in the help's first line, `about` a paragraph.
  Options(std::string command, std::string usage, std::string about);

  /// A flag with a value.
  void value(const std::string& name, const std::string& placeholder, const std::string& help, Names known = {});
  /// A flag with a value that may be given several times.
  void values(const std::string& name, const std::string& placeholder, const std::string& help, Names known = {});
  /// A flag without a value.
  void flag(const std::string& name, const std::string& help);
  /// Up to `count` arguments without a flag (-1: any number), read as values of `name`.
  void arguments(const std::string& name, int count, const std::string& placeholder, Names known = {});
  /// A paragraph after the flags in the help.
  void epilogue(std::string text) { epilogue_ = std::move(text); }

  const std::string& usage() const { return usage_; }
  const std::string& about() const { return about_; }
  const std::string& epilogue() const { return epilogue_; }
  const std::vector<Declared>& flags() const { return flags_; }                     ///< as the help has them, --help first
  const std::optional<Declared>& arguments() const { return declared_arguments_; }  ///< absent where the command takes none

  /// False when --help (or -h) was asked for: it is printed then. UsageError for what does not fit.
  bool parse(const std::vector<std::string>& words);

  bool has(const std::string& name) const;
  std::optional<std::string> text(const std::string& name) const;
  std::vector<std::string> texts(const std::string& name) const;
  /// UsageError if it is not given.
  std::string required(const std::string& name) const;
  std::optional<std::int64_t> integer(const std::string& name, std::int64_t minimum, std::int64_t maximum) const;
  std::optional<std::chrono::duration<double>> duration(const std::string& name) const;
  /// "a,b,c"; blanks around items are dropped, empty items are errors.
  std::optional<std::vector<std::string>> list(const std::string& name) const;
  /// As list, finite numbers.
  std::optional<std::vector<double>> numbers(const std::string& name) const;
  /// As list, any numbers: inf, -inf and nan too.
  std::optional<std::vector<double>> any_numbers(const std::string& name) const;
  /// One of those that the flag is declared with; the first where it is not given.
  std::string choice(const std::string& name) const;
  /// --format.
  Format format() const;

 private:
  void print_help() const;
  [[noreturn]] void fail(const std::string& message) const;

  std::string command_, usage_, about_, epilogue_;
  std::vector<Declared> flags_;
  std::optional<Declared> declared_arguments_;
  boost::program_options::options_description visible_, hidden_;
  boost::program_options::positional_options_description positional_;
  boost::program_options::variables_map map_;
};

/// --format; the first of `known` is the default.
void declare_format(Options& options, const Names& known = {"table", "csv", "json"});
/// --precision.
void declare_precision(Options& options);
/// --strategy, with what each does and the default.
void declare_strategy(Options& options);
/// --margin: how far two functions may differ and count as equal.
void declare_margin(Options& options);
/// In stored units; absent where it is not given. UsageError unless it is above 0.
std::optional<double> chosen_margin(const Options& options, const ScoreScale& scale);
/// How far down a ranking --distinct looks for functions of other kinds.
inline constexpr int kMostRowsForKinds = 10'000;
/// --distinct: one function of each kind.
void declare_distinct(Options& options);
/// The distance (DistinctFunctions) that it names; absent where it is not given. UsageError unless it is above 0.
std::optional<double> chosen_distance(const Options& options);
/// --recipe with --epochs, --batch, --rate, --precision and --data: what several commands share.
void declare_training(Options& options, const std::string& default_recipe);
/// --image-side and --skip-unreadable, which declare_training has too.
void declare_loading(Options& options);
LoadOptions chosen_loading(const Options& options);
/// The recipe named by --recipe, or the default, with what --epochs, --batch and --rate say in place of its own. UsageError with a
/// suggestion.
Recipe chosen_recipe(const Options& options);
Precision chosen_precision(const Options& options);

}  // namespace actsearch
