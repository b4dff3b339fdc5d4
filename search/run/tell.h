/// Tell: takes in what became of a trial that was asked for, and answers what its trainer is to do next.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "db/store.h"
#include "db/tickets.h"
#include "grammar/candidate.h"
#include "search/run/told.h"

namespace actsearch {

enum class Answer : std::uint8_t {
  kGoOn,
  kPause,        ///< keep a checkpoint and train something else: a later ask hands the trial out again if it is promoted
  kStop,         ///< the trial is no longer the teller's
  kStored,       ///< the result counts
  kAlreadyTold,  ///< the same result was stored before
  kGivenBack
};
/// "go on", "pause", "stop", "stored", "already told", "given back".
std::string_view to_text(Answer answer);

struct Reply {
  Answer answer = Answer::kGoOn;
  std::string reason;       ///< for people; empty where there is nothing to say
  std::string lease_until;  ///< UTC, where the answer is kGoOn
};

/// A trial that cannot be told of: there is none, it is not of this kind, or it has another result.
class TellError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An epoch of the teller's training. At least one of its numbers is known; each is finite.
struct ToldEpoch {
  int epoch = 1;  ///< from 1: so many are trained
  std::optional<double> train_loss;
  std::optional<double> accuracy;  ///< on data that validate, in the scale of the trial's scores: 0..1 unless its conditions say otherwise
};

/// What a trial came to.
struct ToldResult {
  std::optional<double> score = std::nullopt;         ///< in the scale of the conditions: 0..1, higher is better, where these do not say
  std::optional<std::string> failure = std::nullopt;  ///< or why there is none
};

/// std::invalid_argument, with the reason, for what cannot be under the conditions.
void require_valid(const ToldEpoch& told, const ToldConditions& conditions);
void require_valid(const ToldResult& told, const ToldConditions& conditions);

/// The telling side of all studies of a store. Any number of objects, in any number of processes. Values that are not
/// valid are std::invalid_argument, and change nothing.
class Teller {
 public:
  /// The store outlives the object.
  explicit Teller(Store& database) : database_(database), tickets_(database.tickets()) {}

  /// kGoOn, kPause at a rung of a race, or kStop. Renews the lease. A race needs the training loss of each epoch at which it pauses.
  Reply epoch(const Claim& ticket, const ToldEpoch& told);
  /// kStored, kAlreadyTold, or kStop where the trial was handed out again. TellError where it has another result.
  Reply result(const Claim& ticket, const ToldResult& told);
  /// kGoOn, kPause or kStop. `lease` absent: as long as when it was asked for.
  Reply renew(const Claim& ticket, std::optional<std::chrono::seconds> lease);
  /// kGivenBack, or kPause or kStop where it was not the teller's. What was told of its epochs stays.
  Reply give_back(const Claim& ticket);

  /// Where a result comes from that nobody asked for.
  struct Elsewhere {
    ToldConditions conditions;
    Candidate candidate;
    std::uint64_t seed = 0;
    std::string commit, machine;
  };
  /// kStored or kAlreadyTold. TellError where the trial has another result, or is out.
  Reply elsewhere(const Elsewhere& trial, const ToldResult& told);

 private:
  struct Shown;  ///< a ticket and what it is worth
  Shown look_at(const Claim& ticket) const;
  Reply no_longer(const Shown& shown) const;
  Reply compared(const TicketTrial& trial, const ToldConditions& conditions, const ToldResult& told) const;

  Store& database_;
  Tickets& tickets_;
};

}  // namespace actsearch
