/// Formulas and words as lines of text with italics and superscripts.
#pragma once

#include <string_view>

#include "grammar/expression.h"
#include "search/chart/drawing.h"

namespace actsearch {

/// The formula as one line: `x σ(βx)`, variables in italics, exponents raised, fractions with a slash. Numbers of more than six digits
/// end in "…". std::invalid_argument as to_latex.
RichText typeset(const Expression& y);

/// A word or a sentence as it stands.
RichText plain(std::string_view text);
/// Both after each other; neighbours of one kind become one run.
RichText operator+(RichText a, const RichText& b);
/// Without italics and shifts: superscripts after ^, subscripts as they are.
std::string unadorned(const RichText& text);

/// How wide the line is in DejaVu Sans, which is wider than most: what a label keeps free.
double text_width(const RichText& text, double size);
/// The line, or as much of its beginning as is no wider with an ellipsis at its end.
RichText elided(const RichText& text, double size, double width);

}  // namespace actsearch
