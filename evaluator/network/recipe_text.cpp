#include <charconv>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include "evaluator/network/recipe.h"

namespace actsearch {
namespace {

std::string to_text(double value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::general).ptr};  // reads back exactly
}
std::string to_text(bool value) { return value ? "yes" : "no"; }

/// "10-20-30", or "none" for an empty list.
std::string to_text(const std::vector<int>& list) {
  if (list.empty()) return "none";
  std::string text;
  for (const int entry : list) text += (text.empty() ? "" : "-") + std::to_string(entry);
  return text;
}

std::string_view to_text(Network::Initialisation initialisation) {
  switch (initialisation) {
    case Network::Initialisation::kHe:
      return "he";
    case Network::Initialisation::kMxnet:
      return "mxnet";
  }
  throw std::logic_error("to_text: no such initialisation");
}

std::string to_text(const Schedule& schedule) {
  const std::string peak = " peak=" + to_text(schedule.peak);
  switch (schedule.kind) {
    case Schedule::Kind::kOneCycle:
      return "one-cycle" + peak + " warmup=" + to_text(schedule.warmup);
    case Schedule::Kind::kStep:
      return "step" + peak + " milestones=" + to_text(schedule.milestones) + " factor=" + to_text(schedule.factor);
  }
  throw std::logic_error("to_text: no such schedule");
}

std::string_view to_text(ScoreMeasure score) {
  for (const auto& [measure, name] : score_measures()) {
    if (measure == score) return name;
  }
  throw std::logic_error("to_text: no such score");
}

ScoreMeasure score_of(std::string_view text) {
  for (const auto& [measure, name] : score_measures()) {
    if (name == text) return measure;
  }
  throw std::invalid_argument("no score: " + std::string(text));
}

/// The words "key=value" of a text, behind its first word.
std::map<std::string, std::string, std::less<>> words_of(std::string_view text) {
  std::map<std::string, std::string, std::less<>> words;
  std::size_t at = text.find(' ');
  while (at != std::string_view::npos) {
    const std::size_t end = text.find(' ', at + 1);
    const std::string_view word = text.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    const std::size_t equals = word.find('=');
    if (equals != std::string_view::npos) words.emplace(word.substr(0, equals), word.substr(equals + 1));
    at = end;
  }
  return words;
}

template <class Number>
Number number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) throw std::invalid_argument("no number: " + std::string(text));
  return number;
}

/// Calls body(part) for each part between the separators.
template <class Body>
void for_each_part(std::string_view text, char separator, Body body) {
  for (;;) {
    const std::size_t end = text.find(separator);
    body(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::vector<int> numbers_of(std::string_view text) {
  std::vector<int> list;
  if (text == "none") return list;
  for_each_part(text, '-', [&](std::string_view part) { list.push_back(part == "M" ? Vgg::kPool : number_of<int>(part)); });
  return list;
}

/// What layers_text wrote, without "layers=".
std::vector<Layer> layers_of(std::string_view text) {
  std::vector<Layer> layers;
  for_each_part(text, ';', [&](std::string_view one) {
    Layer layer;
    bool first = true;
    for_each_part(one, ',', [&](std::string_view part) {
      if (std::exchange(first, false)) {
        layer.kind = layer_kind(part);
        return;
      }
      const std::size_t colon = part.find(':');
      const std::string_view key = part.substr(0, colon), value = colon == std::string_view::npos ? "" : part.substr(colon + 1);
      if (key == "name")
        layer.name = value;
      else if (key == "from")
        layer.inputs.emplace_back(value);
      else if (key == "probability")
        layer.probability = number_of<double>(value);
      else if (key == "bias")
        layer.bias = number_of<int>(value) != 0;
      else if (key == "channels")
        layer.channels = number_of<int>(value);
      else if (key == "kernel")
        layer.kernel = number_of<int>(value);
      else if (key == "stride")
        layer.stride = number_of<int>(value);
      else if (key == "padding")
        layer.padding = number_of<int>(value);
      else if (key == "groups")
        layer.groups = number_of<int>(value);
    });
    layers.push_back(std::move(layer));
  });
  return layers;
}

}  // namespace

const std::vector<std::pair<ScoreMeasure, std::string_view>>& score_measures() {
  static const std::vector<std::pair<ScoreMeasure, std::string_view>> all{{ScoreMeasure::kAccuracy, "accuracy"},
                                                                          {ScoreMeasure::kValidationLoss, "validation_loss"}};
  return all;
}

std::string_view to_text(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
  }
  throw std::logic_error("to_text: no such precision");
}

std::string to_text(const Recipe& recipe, Precision precision, int numerics) {
  const Network& network = recipe.network;
  const Augmentation& augmentation = recipe.augmentation;
  std::string text = recipe.name + " " + network.text;
  const auto add = [&text](std::string_view key, std::string_view value) { text.append(" ").append(key).append("=").append(value); };
  add("initialisation", to_text(network.initialisation));
  add("batch_norm_momentum", to_text(network.batch_norm_momentum));
  add("batch_norm_epsilon", to_text(network.batch_norm_epsilon));
  add("epochs", std::to_string(recipe.epochs));
  add("batch", std::to_string(recipe.batch));
  add("schedule", to_text(recipe.schedule));
  add("momentum", to_text(recipe.momentum));
  add("weight_decay", to_text(recipe.weight_decay));
  add("decay_all", to_text(recipe.decay_all));
  add("flip", to_text(augmentation.flip));
  add("pad", std::to_string(augmentation.pad));
  add("normalise", to_text(augmentation.normalise));
  add("shuffle", to_text(augmentation.shuffle));
  add("validation", std::to_string(recipe.validation_size));
  // What came later is said where it is not as it always was: a text is an identity.
  if (network.images.channels != kCifar10Shape.channels) add("channels", std::to_string(network.images.channels));
  if (network.images.classes != kCifar10Shape.classes) add("classes", std::to_string(network.images.classes));
  if (network.image_side != kCifar10Shape.side) add("image_side", std::to_string(network.image_side));
  if (recipe.train_size > 0) add("train", std::to_string(recipe.train_size));
  if (recipe.validation_fold > 0) add("fold", std::to_string(recipe.validation_fold));
  if (recipe.score != ScoreMeasure::kAccuracy) add("score", to_text(recipe.score));
  if (numerics > 1) add("numerics", std::to_string(numerics));
  add("precision", to_text(precision));
  return text;
}

ScoreMeasure score_measure(const std::string& text) {
  const auto words = words_of(text);
  const auto named = words.find("score");
  for (const auto& [measure, name] : score_measures()) {
    if (named != words.end() && named->second == name) return measure;
  }
  return ScoreMeasure::kAccuracy;
}

std::optional<std::pair<Recipe, Precision>> read_recipe(const std::string& text) {
  const auto words = words_of(text);
  const auto value = [&](std::string_view key) -> const std::string& {
    const auto found = words.find(key);
    if (found == words.end()) throw std::invalid_argument("no " + std::string(key));
    return found->second;
  };
  const auto has = [&](std::string_view key) { return words.contains(key); };
  const auto yes = [&](std::string_view key) { return value(key) == "yes"; };
  try {
    Recipe recipe;
    recipe.name = text.substr(0, text.find(' '));
    Network& network = recipe.network;
    if (has("features")) {
      network = vgg({.features = numbers_of(value("features")),
                     .dense = numbers_of(value("dense")),
                     .dropout = number_of<double>(value("dropout")),
                     .convolution_bias = yes("convolution_bias"),
                     .average_pool = has("pool")});
    } else if (has("resnet")) {
      network = resnet(number_of<int>(value("blocks")));
    } else if (has("wide_resnet")) {
      network = wide_resnet(number_of<int>(value("blocks")), number_of<int>(value("width")));
    } else {
      network = network_of(layers_of(value("layers")));
    }
    network.initialisation = value("initialisation") == "mxnet" ? Network::Initialisation::kMxnet : Network::Initialisation::kHe;
    network.batch_norm_momentum = number_of<double>(value("batch_norm_momentum"));
    network.batch_norm_epsilon = number_of<double>(value("batch_norm_epsilon"));
    recipe.epochs = number_of<int>(value("epochs"));
    recipe.batch = number_of<int>(value("batch"));
    Schedule& schedule = recipe.schedule;
    schedule.kind = value("schedule") == "step" ? Schedule::Kind::kStep : Schedule::Kind::kOneCycle;
    schedule.peak = number_of<double>(value("peak"));
    if (schedule.kind == Schedule::Kind::kOneCycle) {
      schedule.warmup = number_of<double>(value("warmup"));
    } else {
      schedule.milestones = numbers_of(value("milestones"));
      schedule.factor = number_of<double>(value("factor"));
    }
    recipe.momentum = number_of<double>(value("momentum"));
    recipe.weight_decay = number_of<double>(value("weight_decay"));
    recipe.decay_all = yes("decay_all");
    recipe.augmentation = {
        .flip = yes("flip"), .pad = number_of<int>(value("pad")), .normalise = yes("normalise"), .shuffle = yes("shuffle")};
    recipe.validation_size = number_of<int>(value("validation"));
    if (has("channels")) network.images.channels = number_of<int>(value("channels"));
    if (has("classes")) network.images.classes = number_of<int>(value("classes"));
    if (has("image_side")) network.image_side = number_of<int>(value("image_side"));
    if (has("train")) recipe.train_size = number_of<int>(value("train"));
    if (has("fold")) recipe.validation_fold = number_of<int>(value("fold"));
    if (has("score")) recipe.score = score_of(value("score"));
    const Precision precision = value("precision") == "bf16" ? Precision::kBf16 : Precision::kFp32;
    const std::string again = to_text(recipe, precision);
    if (text != again && !text.starts_with(again + " ")) return std::nullopt;  // the text says something that this version does not know
    return std::pair{std::move(recipe), precision};
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

}  // namespace actsearch
