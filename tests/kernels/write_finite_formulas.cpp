// Prints the formulas of tests/kernels/finite_cases.h, one a line: what finite_table.py reads.

#include <iostream>

#include "tests/kernels/finite_cases.h"

int main() {
  for (const actsearch::Expression& formula : actsearch::testing::finite_formulas()) std::cout << actsearch::to_text(formula) << "\n";
}
