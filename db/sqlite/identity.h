/// Brings the candidates of an older file to what counts as one function today.
#pragma once

#include "db/sqlite/connection.h"

namespace actsearch {

/// Computes every candidate's fingerprint anew, and gives a name of grammar/operators.h only where the candidate is that function. A
/// trial that trained another function than its candidate's formula goes to a candidate of its own: a search's trial trained what stands
/// at its place in the space. Refusals of functions that are not constant any more go, so that a search meets them again. A formula that
/// this program cannot read keeps its fingerprint. Runs inside the caller's transaction.
void tell_functions_apart(sqlite::Connection& connection);

}  // namespace actsearch
