/// What data that do not suit are refused with.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "evaluator/data/dataset.h"

namespace actsearch {

/// The message of the DataError that `act` throws; empty, and a failure, if it throws none.
template <class Act>
std::string data_error(Act act) {
  try {
    act();
  } catch (const DataError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no DataError";
  return "";
}

}  // namespace actsearch
