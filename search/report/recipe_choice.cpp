#include "search/report/recipe_choice.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "db/open/open_store.h"
#include "db/reads.h"
#include "evaluator/network/recipe.h"
#include "grammar/nearest.h"

namespace actsearch {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

void require_known_recipe(const Store& database, const std::string& flag, const std::optional<std::string>& recipe) {
  if (!recipe) return;
  const std::string name = recipe->substr(0, recipe->find(' '));
  std::vector<std::string> stored, known;
  for (const StoredRecipe& one : database.reads().recipes()) {
    if (std::find(stored.begin(), stored.end(), one.name) == stored.end()) stored.push_back(one.name);
  }
  std::sort(stored.begin(), stored.end());
  for (const Recipe& one : recipes()) known.push_back(one.name);
  std::vector<std::string_view> all(known.begin(), known.end());
  all.insert(all.end(), stored.begin(), stored.end());
  if (std::find(all.begin(), all.end(), name) != all.end()) return;
  throw std::invalid_argument(flag + ": no recipe '" + shortened(name) + "'" + did_you_mean(name, all) + "; the file has " +
                              (stored.empty() ? "none" : listed(stored)) + ", the program knows " + listed(known));
}

void require_searched(const std::string& place) {
  const PlaceNames names = names_of(place);
  if (!names.is_file) return;  // opening it tells
  const std::filesystem::path file = names.beside;
  if (!std::filesystem::exists(file)) throw DatabaseError(file.string() + ": there is no such file: run a search into it first");
  if (std::filesystem::is_regular_file(file) && std::filesystem::file_size(file) == 0)
    throw DatabaseError(file.string() + ": is empty: run a search into it first");
}

}  // namespace actsearch
