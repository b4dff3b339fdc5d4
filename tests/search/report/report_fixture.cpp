// Makes the databases of report_fixture.h for the tests in a browser: report_fixture KIND FILE

#include "tests/search/report/report_fixture.h"

#include <iostream>

#include "db/sqlite/store.h"

int main(int argc, char** argv) {
  using namespace actsearch;
  using namespace actsearch::testing;
  const std::string kind = argc == 3 ? argv[1] : "", file = argc == 3 ? argv[2] : "";
  if (kind == "small") return fill_small(file), 0;
  if (kind == "large") return fill_large(file, 10'000), 0;
  if (kind == "hostile") return fill_hostile(file), 0;
  if (kind == "empty") return SqliteStore(file, Store::Access::kCreate), 0;
  if (kind == "begun") return fill_begun(file), 0;
  if (kind == "many") return fill_many(file), 0;
  if (kind == "race") return fill_race(file), 0;
  if (kind == "provisional") return fill_race(file, 0), 0;
  if (kind == "two") return fill_two_recipes(file), 0;
  if (kind == "more") return finish_one_more(file), 0;
  std::cerr << "usage: report_fixture small|many|large|hostile|empty|begun|race|provisional|two|more FILE\n";
  return 2;
}
