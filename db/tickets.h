/// Trials that are handed out to a trainer outside of this program. A ticket holds their claim. Ask and tell are made of these.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/reads.h"
#include "db/records.h"

namespace actsearch {

/// What is agreed when a trial is handed out. The store keeps it until the trial is handed out again.
struct TicketTerms {
  Id study = 0;                  ///< that asked for the trial
  std::chrono::seconds lease{};  ///< at first, and after each renewal
  bool judged = true;            ///< whether a race may pause the trial
};

/// A trial that was just handed out.
struct HandedOut {
  Claim ticket;  ///< the trial, and how often it has been handed out
  int from_epoch = 0;
  std::string lease_until;  ///< UTC, as docs/schema.md writes times
};

/// A trial, as the holder of a ticket sees it.
struct TicketTrial {
  Claim ticket;  ///< the latest of the trial. Older ones hold nothing
  Id candidate = 0;
  CandidateRecord record;
  Id recipe = 0;
  std::string recipe_text;
  std::uint64_t seed = 0;
  TrialStatus status = TrialStatus::kRunning;
  std::optional<TicketTerms> terms;  ///< of the latest ticket; absent where a process claimed the trial last
  std::string handed_out, lease_until;
  std::chrono::seconds lease_left{};  ///< 0 once the lease is over
  int epochs = 0;                     ///< the furthest that is told
  std::optional<double> train_loss;   ///< of that epoch
  std::optional<double> score;        ///< where it is done
  std::string failure, failure_detail;
};

/// A function of a study that has trials.
struct BegunCandidate {
  Id candidate = 0;
  CandidateRecord record;
  std::optional<std::uint64_t> place;  ///< in the study's space, where it is known
};

/// A ticket is a Claim: its trial, and the number of the hand-out. It holds the trial until that is told, given back, or handed out again,
/// which is possible from the end of its lease on. No process needs to live for it. An expired ticket is no process that died.
///
/// The calls that take a ticket return false, and change nothing, where it does not hold the trial. Each is one transaction.
class Tickets {
 public:
  Tickets() = default;
  virtual ~Tickets() = default;
  Tickets(const Tickets&) = delete;
  Tickets& operator=(const Tickets&) = delete;

  /// Claims the trial of (candidate, recipe, seed) for a new ticket, which ends all earlier ones. If the trial was paused or given back,
  /// its told epochs stay, and `from_epoch` is their number. If its lease ran out, they are deleted: nobody knows whether anything is left
  /// of that training. Where the trial cannot be claimed the result is kDone or kTaken, and `out` has only its latest ticket. `place` as in
  /// Store::claim.
  virtual ClaimState hand_out(Id candidate, Id recipe, std::uint64_t seed, const TicketTerms& terms, std::optional<std::uint64_t> place,
                              HandedOut* out) = 0;

  /// Functions of a study that have trials, but not with each of the seeds first … last. The oldest first.
  virtual std::vector<BegunCandidate> begun(Id study, Id recipe, std::uint64_t first, std::uint64_t last) const = 0;

  virtual std::optional<TicketTrial> find(Id trial) const = 0;
  /// The trials that tickets hold, also those whose lease is over; the oldest hand-out first.
  virtual std::vector<TicketTrial> out() const = 0;

  /// The lease begins anew: with its old length, or with `lease`, which later renewals then take too.
  virtual bool renew(const Claim& ticket, std::optional<std::chrono::seconds> lease) = 0;
  /// Stores an epoch in place of one with the same number, and renews.
  virtual bool add_epoch(const Claim& ticket, const EpochRecord& epoch) = 0;
  /// Ends the ticket before the trial's end. The told epochs stay.
  virtual bool give_back(const Claim& ticket) = 0;
  /// Stores the result beside the told epochs. The latest ticket may do so even after its lease, and after it was given back, as long as
  /// the trial has not been handed out again.
  virtual bool finish(const Claim& ticket, const TrialRecord& result) = 0;
};

}  // namespace actsearch
