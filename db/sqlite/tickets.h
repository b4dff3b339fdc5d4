/// The tickets of an SQLite file.
#pragma once

#include "db/sqlite/file.h"
#include "db/tickets.h"

namespace actsearch {

class SqliteTickets : public Tickets {
 public:
  explicit SqliteTickets(sqlite::File& file) : file_(file) {}

  ClaimState hand_out(Id candidate, Id recipe, std::uint64_t seed, const TicketTerms& terms, std::optional<std::uint64_t> place,
                      HandedOut* out) override;
  std::vector<BegunCandidate> begun(Id study, Id recipe, std::uint64_t first, std::uint64_t last) const override;
  std::optional<TicketTrial> find(Id trial) const override;
  std::vector<TicketTrial> out() const override;
  bool renew(const Claim& ticket, std::optional<std::chrono::seconds> lease) override;
  bool add_epoch(const Claim& ticket, const EpochRecord& epoch) override;
  bool give_back(const Claim& ticket) override;
  bool finish(const Claim& ticket, const TrialRecord& result) override;

 private:
  sqlite::File& file_;
};

}  // namespace actsearch
