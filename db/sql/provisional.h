/// Provisional results: functions that a race has stopped, with how far they came. They are never ranked among finished ones.
#pragma once

#include <optional>
#include <string>

#include "db/records.h"
#include "db/sql/connection.h"

namespace actsearch {

/// Writes down how far a trial has come that is given back: whole epochs and the steps of a pause after them, with the training loss there.
/// Of a trial of which nothing is known, neither. Within the caller's transaction.
void note_reached(sql::Connection& connection, Id trial);
/// The same for every trial that was given back.
void note_all_reached(sql::Connection& connection);

/// As Store::provisional. Takes time in the rows asked for, not in the trials stored.
Provisional provisional(sql::Connection& connection, const std::optional<std::string>& selector, int top);

}  // namespace actsearch
