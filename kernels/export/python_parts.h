/// What the Python targets have in common: argument lists, the functions _value and _slopes, and what a backward pass needs.
#pragma once

#include <string>
#include <string_view>

#include "kernels/codegen/print.h"
#include "kernels/export/export.h"

namespace actsearch {

/// What a backward pass is computed from, read off the Program; the betas come on top.
enum class Kept { kNothing, kOutput, kInput };
Kept kept_by(const ExportedActivation& activation);

/// The words that Python files are filled with:
///
///     HEADER    the comment that begins the file       CLASS, NAME, FORMULA
///     BETAS     ", beta0, beta1" or nothing            SLOPES    "(dydx, dydbeta0)"
///     CODE      the definitions of _value and _slopes; the latter takes y where only that is needed (kOutput), else x
///
/// A value that does not depend on x is given the shape of x: by `number_like_x` a number, by `beta_like_x` what betas give. # is the
/// value.
std::vector<std::pair<std::string, std::string>> python_words(const ExportedActivation& activation, const Language& language,
                                                              const std::string& number_like_x, const std::string& beta_like_x);

/// "item0<separator>item1…" over the parameters, each item with # replaced by the parameter's number.
std::string for_each_beta(const ExportedActivation& activation, std::string_view item, std::string_view separator);

}  // namespace actsearch
