/// Recipes and networks as JSON: a user's own, and any built-in one written in the same words (docs/networks.md).
#pragma once

#include <string>

#include "evaluator/network/recipe.h"

namespace actsearch {

/// The recipe as a file: every field, one layer a line. Ends with a line break.
std::string recipe_file(const Recipe& recipe);

/// Reads a recipe from such a text. What is left out is as in Recipe and Network; "network" with its "layers" and "name" must be there.
/// std::invalid_argument says which key is wrong and what is known. It refuses unknown keys, values of the wrong kind or out of range, a
/// layer that does not exist, and the name of a built-in recipe on another one. for_images says whether the layers
/// fit each other, once the data are known.
Recipe read_recipe_file(const std::string& text);

/// Puts a text's value of "network" in place of the recipe's. The text may also be such a value itself. The recipe is then called `name`:
/// letters, digits, '.', '_' and '-'.
Recipe with_network_file(Recipe recipe, const std::string& name, const std::string& text);

}  // namespace actsearch
