#include "search/cli/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <utility>

#include "evaluator/cpu/dnn.h"
#include "evaluator/formats/folder.h"
#include "evaluator/network/recipe_file.h"
#include "evaluator/train/trainer.h"
#include "grammar/nearest.h"
#include "search/run/budget.h"
#include "search/strategies/strategy.h"

namespace actsearch {
namespace {

namespace po = boost::program_options;

constexpr unsigned kHelpWidth = 100;

/// A value whose name in the help is `placeholder`.
template <class T>
po::typed_value<T>* named(const std::string& placeholder) {
  auto* value = po::value<T>();
  value->value_name(placeholder);
  return value;
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

template <class Number>
std::optional<Number> parsed(std::string_view text) {
  Number number{};
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || after != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "a, b, c", or with another text before the last.
std::string listed(const Names& names, std::string_view before_last = ", ") {
  std::string text;
  for (const std::string_view& name : names) text.append(text.empty() ? "" : &name == &names.back() ? before_last : ", ").append(name);
  return text;
}

}  // namespace

Options::Options(std::string command, std::string usage, std::string about)
    : command_(std::move(command)),
      usage_(std::move(usage)),
      about_(std::move(about)),
      visible_("Flags (defaults in brackets)", kHelpWidth, kHelpWidth / 2) {
  flag("help", "print this help");
}

void Options::value(const std::string& name, const std::string& placeholder, const std::string& help, Names known) {
  visible_.add_options()(name.c_str(), named<std::string>(placeholder), help.c_str());
  flags_.push_back({.name = name, .placeholder = placeholder, .help = help, .known = std::move(known), .repeats = false});
}
void Options::values(const std::string& name, const std::string& placeholder, const std::string& help, Names known) {
  visible_.add_options()(name.c_str(), named<std::vector<std::string>>(placeholder)->composing(), help.c_str());
  flags_.push_back({.name = name, .placeholder = placeholder, .help = help, .known = std::move(known), .repeats = true});
}
void Options::flag(const std::string& name, const std::string& help) {
  visible_.add_options()(name.c_str(), help.c_str());
  flags_.push_back({.name = name, .placeholder = "", .help = help, .known = {}, .repeats = false});
}
void Options::arguments(const std::string& name, int count, const std::string& placeholder, Names known) {
  hidden_.add_options()(name.c_str(), named<std::vector<std::string>>(name)->composing(), "");
  positional_.add(name.c_str(), count);
  declared_arguments_ = {.name = name, .placeholder = placeholder, .help = "", .known = std::move(known), .repeats = count != 1};
}

void Options::fail(const std::string& message) const { throw UsageError(message + "\nsee: actsearch " + command_ + " --help"); }

bool Options::parse(const std::vector<std::string>& words) {
  if (std::any_of(words.begin(), words.end(), [](const std::string& word) { return word == "--help" || word == "-h"; })) {
    print_help();
    return false;
  }
  po::options_description all;
  all.add(visible_).add(hidden_);
  namespace style = po::command_line_style;
  try {
    po::store(po::command_line_parser(words)
                  .options(all)
                  .positional(positional_)
                  .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
                  .run(),
              map_);
  } catch (const po::unknown_option& error) {
    std::vector<std::string> names;
    for (const Declared& known : flags_) names.push_back("--" + known.name);
    const std::string name = error.get_option_name();
    fail("no flag " + shortened(name) + did_you_mean(name, {names.begin(), names.end()}));
  } catch (const po::too_many_positional_options_error&) {
    fail(positional_.max_total_count() == 0 ? "arguments without a flag are not expected here" : "more arguments than expected");
  } catch (const po::error& error) {
    fail(error.what());
  }
  return true;
}

void Options::print_help() const {
  std::cout << "usage: actsearch " << command_ << (usage_.empty() ? "" : " ") << usage_ << "\n\n" << about_ << "\n\n" << visible_;
  if (!epilogue_.empty()) std::cout << "\n" << epilogue_ << "\n";
}

bool Options::has(const std::string& name) const { return map_.count(name) > 0; }

std::optional<std::string> Options::text(const std::string& name) const {
  if (!has(name)) return std::nullopt;
  return map_[name].as<std::string>();
}

std::vector<std::string> Options::texts(const std::string& name) const {
  return has(name) ? map_[name].as<std::vector<std::string>>() : std::vector<std::string>{};
}

std::string Options::required(const std::string& name) const {
  const auto given = text(name);
  if (!given || given->empty()) fail("--" + name + " is required");
  return *given;
}

std::optional<std::int64_t> Options::integer(const std::string& name, std::int64_t minimum, std::int64_t maximum) const {
  const auto given = text(name);
  if (!given) return std::nullopt;
  const auto number = parsed<std::int64_t>(*given);
  if (!number || *number < minimum || *number > maximum) {
    const bool bounded = maximum != std::numeric_limits<std::int64_t>::max();
    fail("--" + name + ": a whole number " +
         (bounded ? "from " + std::to_string(minimum) + " to " + std::to_string(maximum) : "of at least " + std::to_string(minimum)) +
         " is expected, not '" + shortened(*given) + "'");
  }
  return number;
}

std::optional<std::chrono::duration<double>> Options::duration(const std::string& name) const {
  const auto given = text(name);
  if (!given) return std::nullopt;
  try {
    return parse_duration(*given);
  } catch (const std::invalid_argument& error) {
    fail("--" + name + ": " + error.what());
  }
}

std::optional<std::vector<std::string>> Options::list(const std::string& name) const {
  const auto given = text(name);
  if (!given) return std::nullopt;
  std::vector<std::string> items;
  for (std::size_t first = 0; first <= given->size();) {
    const std::size_t comma = std::min(given->find(',', first), given->size());
    items.push_back(trimmed(std::string_view(*given).substr(first, comma - first)));
    if (items.back().empty()) fail("--" + name + ": an item of the list '" + shortened(*given) + "' is empty");
    first = comma + 1;
  }
  return items;
}

std::optional<std::vector<double>> Options::numbers(const std::string& name) const {
  auto values = any_numbers(name);
  for (std::size_t i = 0; values && i < values->size(); ++i) {
    if (!std::isfinite((*values)[i])) fail("--" + name + ": '" + shortened(list(name)->at(i)) + "' is not a finite number");
  }
  return values;
}

std::optional<std::vector<double>> Options::any_numbers(const std::string& name) const {
  const auto items = list(name);
  if (!items) return std::nullopt;
  std::vector<double> values;
  for (const std::string& item : *items) {
    const auto number = parsed<double>(item);
    if (!number) fail("--" + name + ": '" + shortened(item) + "' is not a number");
    values.push_back(*number);
  }
  return values;
}

std::string Options::choice(const std::string& name) const {
  const auto declared = std::find_if(flags_.begin(), flags_.end(), [&](const Declared& flag) { return flag.name == name; });
  if (declared == flags_.end() || declared->known.empty()) throw std::logic_error("--" + name + " is declared without its values");
  const Names& known = declared->known;
  const auto given = text(name);
  if (!given) return std::string(known.front());
  if (std::find(known.begin(), known.end(), *given) == known.end()) {
    fail("--" + name + ": no '" + shortened(*given) + "'" + did_you_mean(*given, known) + "; known are " + listed(known));
  }
  return *given;
}

Format Options::format() const {
  const std::string name = choice("format");
  return name == "json" ? Format::kJson : name == "csv" ? Format::kCsv : Format::kTable;
}

void declare_format(Options& options, const Names& known) {
  options.value("format", "F", listed(known, " or ").append(" [").append(known.front()).append("]"), known);
}

void declare_precision(Options& options) {
  const Names known{"auto", "bf16", "fp32"};
  options.value("precision", "P",
                "number format: " + listed(known, " or ") + " [auto: bf16 on CUDA and on processors with bf16 arithmetic, else fp32]",
                known);
}

void declare_loading(Options& options) {
  options.value("image-side", "S",
                "resize images to S x S pixels, 8 to 96 [as they are; " + std::to_string(kFolderSide) + " for folders of pictures]");
  options.flag("skip-unreadable", "leave out pictures of a folder that cannot be read, and say which");
}

LoadOptions chosen_loading(const Options& options) {
  LoadOptions loading;
  if (const auto side = options.integer("image-side", ImageShape::kLeastSide, ImageShape::kMostSide))
    loading.side = static_cast<int>(*side);
  loading.skip_unreadable = options.has("skip-unreadable");
  return loading;
}

void declare_margin(Options& options) {
  options.value("margin", "M",
                "say \"equal\" of two functions that certainly differ by less than this, in points of per cent or in the metric");
}

std::optional<double> chosen_margin(const Options& options, const ScoreScale& scale) {
  const auto numbers = options.numbers("margin");
  if (!numbers) return std::nullopt;
  if (numbers->size() != 1 || !(numbers->front() > 0))
    throw UsageError("--margin " + *options.text("margin") + ": a number above 0 is expected");
  return scale.share ? numbers->front() / 100 : numbers->front();
}

void declare_distinct(Options& options) {
  options.value("distinct", "D",
                "of functions that are alike only the best. Alike are those whose values lie less than D apart: root mean square over "
                "inputs from N(0, 1), mirrored or not; 0.1 is a good start");
}

std::optional<double> chosen_distance(const Options& options) {
  const auto numbers = options.numbers("distinct");
  if (!numbers) return std::nullopt;
  if (numbers->size() != 1 || !(numbers->front() > 0))
    throw UsageError("--distinct " + *options.text("distinct") + ": a number above 0 is expected");
  return numbers->front();
}

void declare_strategy(Options& options) {
  std::string text = "how it proposes formulas. ";
  std::string_view between;
  for (const StrategyInfo& info : strategies()) text.append(std::exchange(between, "; ")).append(info.name).append(": ").append(info.about);
  options.value("strategy", "NAME", text.append(" [").append(strategies().front().name).append("]"), strategy_names());
}

void declare_training(Options& options, const std::string& default_recipe) {
  Names names = names_of(recipes());
  const auto usual = std::find(names.begin(), names.end(), default_recipe);
  if (usual == names.end()) throw std::logic_error("no recipe is called " + default_recipe);
  std::rotate(names.begin(), usual, usual + 1);  // the first is the default
  options.value("recipe", "NAME", "network, optimiser and schedule, as `actsearch recipes` lists them [" + default_recipe + "]",
                std::move(names));
  options.value("recipe-file", "FILE", "a recipe of your own in place of a listed one, as `actsearch recipes --show NAME` prints them");
  options.value("network", "FILE", "a network of your own in place of the recipe's, in the same words; it is called as the file");
  options.value("epochs", "E", "epochs, in place of the recipe's; results are then ranked separately");
  options.value("batch", "B", "images a step, in place of the recipe's; likewise");
  options.value("rate", "R", "the schedule's peak learning rate, in place of the recipe's; likewise");
  declare_precision(options);
  options.value(
      "data", "DIR",
      "a directory with CIFAR-10's or CIFAR-100's binary files, IDX files, or a folder of pictures for each class; or synthetic for "
      "drawn images, synthetic:N for N of them [$ACTSEARCH_DATA, else data/cifar-10-batches-bin, else a download to there]",
      {"synthetic"});
  declare_loading(options);
}

namespace {
/// What read(text) makes of a file that a flag names. UsageError names flag and file.
template <class Read>
Recipe of_file(const std::string& flag, const std::string& path, Read read) {
  std::ifstream file(path);
  if (!file) throw UsageError("--" + flag + " " + path + ": the file cannot be opened");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  try {
    return read(text);
  } catch (const std::invalid_argument& error) {
    throw UsageError("--" + flag + " " + path + ": " + error.what());
  }
}
}  // namespace

Recipe chosen_recipe(const Options& options) {
  Recipe recipe = find_recipe(options.choice("recipe"));
  if (const auto path = options.text("recipe-file")) {
    if (options.has("recipe")) throw UsageError("--recipe-file and --recipe are both given; the file is the whole recipe");
    recipe = of_file("recipe-file", *path, [](const std::string& text) { return read_recipe_file(text); });
  }
  if (const auto path = options.text("network")) {
    const std::string name = std::filesystem::path(*path).stem().string();
    recipe = of_file("network", *path, [&](const std::string& text) { return with_network_file(recipe, name, text); });
  }
  if (const auto epochs = options.integer("epochs", 1, 100'000)) recipe.epochs = static_cast<int>(*epochs);
  if (const auto batch = options.integer("batch", 2, 4'096)) recipe.batch = static_cast<int>(*batch);  // batch norm needs two
  if (const auto rate = options.numbers("rate")) {
    recipe.schedule.peak = rate->front();
    if (rate->size() != 1 || !(recipe.schedule.peak > 0) || recipe.schedule.peak > 100) {
      throw UsageError("--rate is a number above 0, at most 100, not '" + *options.text("rate") + "'");
    }
  }
  return recipe;
}

Precision chosen_precision(const Options& options) {
  const std::string name = options.choice("precision");
  return name == "auto" ? native_precision() : name == "bf16" ? Precision::kBf16 : Precision::kFp32;
}

}  // namespace actsearch
