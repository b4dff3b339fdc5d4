#include "evaluator/network/recipe_file.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace actsearch {
namespace {

using Json = nlohmann::ordered_json;

// Writing. ----------------------------------------------------------------------------------------------------------------------------

Json layer_json(const Layer& layer) {
  Json json{{"kind", std::string(to_text(layer.kind))}};
  const Layer usual;
  if (!layer.name.empty()) json["name"] = layer.name;
  if (!layer.inputs.empty()) json["from"] = layer.inputs;
  const auto add = [&](const char* key, int value, int unless) {
    if (value != unless) json[key] = value;
  };
  add("channels", layer.channels, usual.channels);
  add("kernel", layer.kernel, usual.kernel);
  add("stride", layer.stride, usual.stride);
  add("padding", layer.padding, usual.padding);
  add("groups", layer.groups, usual.groups);
  if (layer.bias) json["bias"] = true;
  if (layer.probability != 0) json["probability"] = layer.probability;
  return json;
}

Json schedule_json(const Schedule& schedule) {
  if (schedule.kind == Schedule::Kind::kOneCycle) return {{"kind", "one-cycle"}, {"peak", schedule.peak}, {"warmup", schedule.warmup}};
  return {{"kind", "step"}, {"peak", schedule.peak}, {"milestones", schedule.milestones}, {"factor", schedule.factor}};
}

// Reading. ----------------------------------------------------------------------------------------------------------------------------

/// An object whose keys are all read, or refused.
class Object {
 public:
  Object(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) throw std::invalid_argument(where_ + " is not an object, { … }");
  }
  /// Refuses keys that nothing has asked for.
  void finish() const {
    for (const auto& [key, value] : json_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      std::string all;
      for (const std::string& one : known_) all += (all.empty() ? "" : ", ") + one;
      throw std::invalid_argument(where_ + " has \"" + key + "\", which means nothing there; it may have " + all);
    }
  }
  const Json* find(const std::string& key) {
    known_.push_back(key);
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }
  void read(const std::string& key, int* number, int least) {
    const Json* const json = find(key);
    if (!json) return;
    if (!json->is_number_integer() || json->get<double>() < least || json->get<double>() > 1e9)
      refuse(key, "is not a whole number of " + std::to_string(least) + " or more");
    *number = json->get<int>();
  }
  void read(const std::string& key, double* number, double least, double most) {
    const Json* const json = find(key);
    if (!json) return;
    if (!json->is_number() || !(json->get<double>() >= least) || !(json->get<double>() <= most))
      refuse(key, "is not a number from " + Json(least).dump() + " to " + Json(most).dump());
    *number = json->get<double>();
  }
  void read(const std::string& key, bool* answer) {
    const Json* const json = find(key);
    if (!json) return;
    if (!json->is_boolean()) refuse(key, "is neither true nor false");
    *answer = json->get<bool>();
  }
  void read(const std::string& key, std::string* text) {
    const Json* const json = find(key);
    if (!json) return;
    if (!json->is_string()) refuse(key, "is not a text");
    *text = json->get<std::string>();
  }
  [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
    throw std::invalid_argument(where_ + ": \"" + key + "\" " + why);
  }

 private:
  const Json& json_;
  std::string where_;
  std::vector<std::string> known_;
};

Json parsed(const std::string& text) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw std::invalid_argument("this is not JSON: " + std::string(error.what()));
  }
}

/// Names stand in stored texts between blanks and other marks.
bool is_plain(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
  });
}
constexpr const char* kPlainOnly = "has other signs than letters, digits, '.', '_' and '-'";

Layer read_layer(const Json& json, const std::string& where) {
  Object object(json, where);
  Layer layer;
  std::string kind;
  object.read("kind", &kind);
  layer.kind = layer_kind(kind);
  object.read("name", &layer.name);
  if (!layer.name.empty() && !is_plain(layer.name)) object.refuse("name", kPlainOnly);
  if (const Json* const from = object.find("from")) {
    const Json inputs = from->is_string() ? Json::array({*from}) : *from;
    if (!inputs.is_array() || inputs.empty()) object.refuse("from", "is neither a name nor a list of names");
    for (const Json& input : inputs) {
      if (!input.is_string() || !is_plain(input.get<std::string>())) object.refuse("from", "is neither a name nor a list of names");
      layer.inputs.push_back(input.get<std::string>());
    }
  }
  const bool convolution = layer.kind == LayerKind::kConvolution;
  const bool window = convolution || layer.kind == LayerKind::kMaxPool || layer.kind == LayerKind::kAveragePool;
  if (convolution || layer.kind == LayerKind::kDense) object.read("channels", &layer.channels, 1);
  if (window) {
    object.read("kernel", &layer.kernel, 1);
    object.read("stride", &layer.stride, 1);
    object.read("padding", &layer.padding, 0);
  }
  if (convolution) {
    object.read("groups", &layer.groups, 1);
    object.read("bias", &layer.bias);
  }
  if (layer.kind == LayerKind::kDropout) object.read("probability", &layer.probability, 0, 0.999);
  object.finish();
  return layer;
}

Network read_network(const Json& json) {
  Object object(json, "the network");
  const Json* const list = object.find("layers");
  if (!list || !list->is_array()) throw std::invalid_argument("the network has no \"layers\", [ … ]");
  std::vector<Layer> layers;
  for (const Json& one : *list) layers.push_back(read_layer(one, "layer " + std::to_string(layers.size() + 1)));
  Network network = network_of(std::move(layers));
  object.read("image_side", &network.image_side, 1);
  if (network.images.side % network.image_side != 0)
    object.refuse("image_side", "does not divide " + std::to_string(network.images.side) + ", the side that it is said for");
  std::string initialisation = "he";
  object.read("initialisation", &initialisation);
  if (initialisation != "he" && initialisation != "mxnet") object.refuse("initialisation", "is neither he nor mxnet");
  network.initialisation = initialisation == "he" ? Network::Initialisation::kHe : Network::Initialisation::kMxnet;
  object.read("batch_norm_momentum", &network.batch_norm_momentum, 0, 1);
  object.read("batch_norm_epsilon", &network.batch_norm_epsilon, 0, 1);
  object.finish();
  return network;
}

Schedule read_schedule(const Json& json) {
  Object object(json, "the schedule");
  Schedule schedule;
  std::string kind = "one-cycle";
  object.read("kind", &kind);
  if (kind != "one-cycle" && kind != "step") object.refuse("kind", "is neither one-cycle nor step");
  schedule.kind = kind == "step" ? Schedule::Kind::kStep : Schedule::Kind::kOneCycle;
  object.read("peak", &schedule.peak, 0, 100);
  if (schedule.kind == Schedule::Kind::kOneCycle) {
    object.read("warmup", &schedule.warmup, 0, 1);
  } else {
    object.read("factor", &schedule.factor, 0, 1);
    if (const Json* const list = object.find("milestones")) {
      if (!list->is_array()) object.refuse("milestones", "is not a list of epochs");
      for (const Json& epoch : *list) {
        if (!epoch.is_number_integer() || epoch.get<double>() < 0 || epoch.get<double>() > 1e9)
          object.refuse("milestones", "is not a list of epochs");
        schedule.milestones.push_back(epoch.get<int>());
      }
    }
  }
  object.finish();
  return schedule;
}

void check_name(const Recipe& recipe) {
  for (const Recipe& known : recipes()) {
    if (known.name == recipe.name && to_text(known, Precision::kFp32) != to_text(recipe, Precision::kFp32))
      throw std::invalid_argument("\"" + recipe.name + "\" is the name of a built-in recipe that differs from this one; choose another");
  }
}

}  // namespace

std::string recipe_file(const Recipe& recipe) {
  const Network& network = recipe.network;
  std::string layers;
  for (const Layer& layer : network.layers) layers += (layers.empty() ? "\n      " : ",\n      ") + layer_json(layer).dump();
  const auto line = [](const char* key, const Json& value) { return "  \"" + std::string(key) + "\": " + value.dump() + ",\n"; };
  return "{\n" + line("name", recipe.name) + "  \"network\": {\n  " + line("image_side", network.image_side) + "  " +
         line("initialisation", network.initialisation == Network::Initialisation::kHe ? "he" : "mxnet") + "  " +
         line("batch_norm_momentum", network.batch_norm_momentum) + "  " + line("batch_norm_epsilon", network.batch_norm_epsilon) +
         "    \"layers\": [" + layers + "\n    ]\n  },\n" + line("epochs", recipe.epochs) + line("batch", recipe.batch) +
         line("schedule", schedule_json(recipe.schedule)) + line("momentum", recipe.momentum) + line("weight_decay", recipe.weight_decay) +
         line("decay_all", recipe.decay_all) +
         line("augmentation", Json{{"flip", recipe.augmentation.flip},
                                   {"pad", recipe.augmentation.pad},
                                   {"normalise", recipe.augmentation.normalise},
                                   {"shuffle", recipe.augmentation.shuffle}}) +
         line("train", recipe.train_size) + "  \"validation\": " + std::to_string(recipe.validation_size) + "\n}\n";
}

Recipe read_recipe_file(const std::string& text) {
  const Json json = parsed(text);
  Object object(json, "the recipe");
  Recipe recipe;
  object.read("name", &recipe.name);
  if (!is_plain(recipe.name)) object.refuse("name", recipe.name.empty() ? "is missing" : kPlainOnly);
  const Json* const network = object.find("network");
  if (!network) object.refuse("network", "is missing");
  recipe.network = read_network(*network);
  object.read("epochs", &recipe.epochs, 1);
  object.read("batch", &recipe.batch, 2);
  if (const Json* const schedule = object.find("schedule")) recipe.schedule = read_schedule(*schedule);
  object.read("momentum", &recipe.momentum, 0, 1);
  object.read("weight_decay", &recipe.weight_decay, 0, 1);
  object.read("decay_all", &recipe.decay_all);
  if (const Json* const given = object.find("augmentation")) {
    Object augmentation(*given, "the augmentation");
    augmentation.read("flip", &recipe.augmentation.flip);
    augmentation.read("pad", &recipe.augmentation.pad, 0);
    augmentation.read("normalise", &recipe.augmentation.normalise);
    augmentation.read("shuffle", &recipe.augmentation.shuffle);
    augmentation.finish();
  }
  object.read("train", &recipe.train_size, 0);
  object.read("validation", &recipe.validation_size, 0);
  object.finish();
  check_name(recipe);
  return recipe;
}

Recipe with_network_file(Recipe recipe, const std::string& name, const std::string& text) {
  const Json json = parsed(text);
  const bool whole = json.is_object() && json.contains("network");
  if (!is_plain(name)) throw std::invalid_argument("the network's name \"" + name + "\" " + kPlainOnly);
  recipe.network = read_network(whole ? json["network"] : json);
  recipe.name = name;
  recipe.seed_spread.reset();
  recipe.loss_spread.reset();
  check_name(recipe);
  return recipe;
}

}  // namespace actsearch
