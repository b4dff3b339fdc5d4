/// The tickets of a database.
#pragma once

#include "db/sql/database.h"
#include "db/tickets.h"

namespace actsearch {

class SqlTickets : public Tickets {
 public:
  explicit SqlTickets(sql::Database& database) : database_(database) {}

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
  sql::Database& database_;
};

}  // namespace actsearch
