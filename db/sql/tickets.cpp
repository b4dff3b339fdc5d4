#include "db/sql/tickets.h"

#include "db/owner.h"
#include "db/sql/claimed.h"
#include "db/sql/trial.h"

namespace actsearch {
namespace {

using sql::Connection;
using sql::Statement;
using sql::Transaction;

const std::string kTicketTrial =
    "SELECT t.id, t.attempts, c.id, c.fingerprint, c.formula, c.name, c.parameters, r.id, r.text, t.seed, t.status, t.owner,"
    " t.lease_until_ms, t.lease_until_boot_ms, t.started, strftime('%Y-%m-%dT%H:%M:%fZ', t.lease_until_ms / 1000.0, 'unixepoch'),"
    " (SELECT max(epoch) + 1 FROM epoch WHERE trial = t.id),"
    " (SELECT train_loss FROM epoch WHERE trial = t.id ORDER BY epoch DESC LIMIT 1),"
    " coalesce(t.validation_accuracy, t.final_test_accuracy), t.failure, t.failure_detail"
    " FROM trial t JOIN candidate c ON c.id = t.candidate JOIN recipe r ON r.id = t.recipe WHERE ";

TicketTrial ticket_trial(const Statement& row, const sql::Clock& now) {
  const StoredTrial stored{row.integer(0), row.text(10), row.text(11), row.integer(12), row.integer(13), row.integer(1), 0, true};
  return {.ticket = {stored.id, static_cast<int>(stored.attempts)},
          .candidate = row.integer(2),
          .record = {row.text(3), row.text(4), row.text(5), static_cast<int>(row.integer(6))},
          .recipe = row.integer(7),
          .recipe_text = row.text(8),
          .seed = static_cast<std::uint64_t>(row.integer(9)),
          .status = status_of(stored.status),
          .terms = ticket_terms(stored.owner),
          .handed_out = row.text(14),
          .lease_until = row.text(15),
          .lease_left = std::chrono::ceil<std::chrono::seconds>(std::chrono::milliseconds(lease_left_ms(stored, now))),
          .epochs = static_cast<int>(row.integer(16)),
          .train_loss = row.real(17),
          .score = row.real(18),
          .failure = row.text(19),
          .failure_detail = row.text(20)};
}

/// The owner text of a trial whose latest claim is the ticket's and whose status is one of two; absent otherwise.
std::optional<std::string> owner_of(Connection& connection, const Claim& ticket, std::string_view status, std::string_view or_status) {
  auto owner = sql::first_row(
      connection, "SELECT owner FROM trial WHERE id = ?1 AND attempts = ?2 AND status IN (?3, ?4)" + std::string(connection.for_update()),
      sql::text_of, ticket.trial, ticket.attempt, status, or_status);
  return owner && ticket_terms(*owner) ? owner : std::nullopt;
}
std::optional<std::string> held_by(Connection& connection, const Claim& ticket) {
  return owner_of(connection, ticket, "running", "running");
}

/// Of a trial that is running: its lease begins anew under these terms. The owner names the machine by whose clock it is judged.
void begin_lease(Connection& connection, Id trial, const TicketTerms& terms) {
  const LeaseEnd end(terms.lease, connection.clock());
  connection.run("UPDATE trial SET owner = ?2, lease_until_ms = ?3, lease_until_boot_ms = ?4 WHERE id = ?1", trial, ticket_owner(terms),
                 end.wall_ms, end.boot_ms);
}

int furthest_epoch(Connection& connection, Id trial) {
  const auto furthest = sql::first_row(connection, "SELECT max(epoch) + 1 FROM epoch WHERE trial = ?1", sql::integer_of, trial);
  return static_cast<int>(furthest.value_or(0));
}

/// The trial that was taken begins where it was given back, or at its start; returns after how many epochs.
int begin_training(Connection& connection, const StoredTrial& before) {
  const std::int64_t from =
      before.status == "released"
          ? sql::first_row(connection, "SELECT trained_epochs FROM trial WHERE id = ?1", sql::integer_of, before.id).value_or(0)
          : 0;
  connection.run("DELETE FROM epoch WHERE trial = ?1 AND epoch >= ?2", before.id, from);
  connection.run("DELETE FROM pause WHERE trial = ?1 AND epoch >= ?2", before.id, from);
  connection.run("UPDATE trial SET trained_epochs = ?2, trained_steps = 0, epoch_steps = 0 WHERE id = ?1", before.id, from);
  return static_cast<int>(from);
}

}  // namespace

ClaimState SqlTickets::hand_out(Id candidate, Id recipe, std::uint64_t seed, const TicketTerms& terms, std::optional<std::uint64_t> place,
                                HandedOut* out) {
  return database_.with([&](Connection& connection) -> ClaimState {
    const auto seen = find_trial(connection, terms.study, candidate, recipe, seed);
    if (seen && seen->in_study) {
      if (const auto state = settled(*seen, connection.clock())) {
        out->ticket = {seen->id, static_cast<int>(seen->attempts)};
        return *state;
      }
    }
    Transaction transaction(connection);
    const StoredTrial trial = hold_trial(connection, terms.study, candidate, recipe, seed, 0);
    want(connection, terms.study, trial.id, place);
    Claim ticket{trial.id, static_cast<int>(trial.attempts)};
    const ClaimState state = take(connection, trial, {ticket_owner(terms), terms.lease, Turn::kLast}, &ticket);
    out->ticket = ticket;
    if (state == ClaimState::kClaimed) {
      const int from_epoch = begin_training(connection, trial);
      const auto until =
          sql::first_row(connection, "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', lease_until_ms / 1000.0, 'unixepoch') FROM trial WHERE id = ?1",
                         sql::text_of, trial.id);
      *out = {ticket, from_epoch, until.value_or("")};
    }
    transaction.commit();
    return state == ClaimState::kGivenUp ? ClaimState::kDone : state;
  });
}

std::vector<BegunCandidate> SqlTickets::begun(Id study, Id recipe, std::uint64_t first, std::uint64_t last) const {
  return database_.rows(
      "SELECT c.id, c.fingerprint, c.formula, c.name, c.parameters, max(s.place) FROM study_trial s JOIN trial t ON t.id = s.trial"
      " JOIN candidate c ON c.id = t.candidate WHERE s.study = ?1 AND t.recipe = ?2 AND t.seed BETWEEN ?3 AND ?4"
      " GROUP BY c.id HAVING count(*) < ?5 ORDER BY min(t.id)",
      [](const Statement& row) {
        BegunCandidate begun{row.integer(0), {row.text(1), row.text(2), row.text(3), static_cast<int>(row.integer(4))}, {}};
        if (!row.is_null(5)) begun.place = static_cast<std::uint64_t>(row.integer(5));
        return begun;
      },
      study, recipe, first, last, static_cast<std::int64_t>(last - first + 1));
}

std::optional<TicketTrial> SqlTickets::find(Id trial) const {
  return database_.with([&](Connection& connection) {
    const sql::Clock now = connection.clock();
    return sql::first_row(
        connection, kTicketTrial + "t.id = ?1", [&](const Statement& row) { return ticket_trial(row, now); }, trial);
  });
}

std::vector<TicketTrial> SqlTickets::out() const {
  auto trials = database_.with([&](Connection& connection) {
    const sql::Clock now = connection.clock();
    return sql::rows(connection, kTicketTrial + "t.status = 'running' ORDER BY t.started, t.id",
                     [&](const Statement& row) { return ticket_trial(row, now); });
  });
  std::erase_if(trials, [](const TicketTrial& trial) { return !trial.terms; });
  return trials;
}

bool SqlTickets::renew(const Claim& ticket, std::optional<std::chrono::seconds> lease) {
  return database_.with([&](Connection& connection) -> bool {
    Transaction transaction(connection);
    const auto owner = held_by(connection, ticket);
    if (!owner) return false;
    TicketTerms terms = *ticket_terms(*owner);
    terms.lease = lease.value_or(terms.lease);
    begin_lease(connection, ticket.trial, terms);
    transaction.commit();
    return true;
  });
}

bool SqlTickets::add_epoch(const Claim& ticket, const EpochRecord& epoch) {
  return database_.with([&](Connection& connection) -> bool {
    Transaction transaction(connection);
    const auto owner = held_by(connection, ticket);
    if (!owner) return false;
    store_epoch(connection, ticket.trial, *owner, epoch);
    begin_lease(connection, ticket.trial, *ticket_terms(*owner));
    connection.run("UPDATE trial SET trained_epochs = ?2 WHERE id = ?1", ticket.trial, furthest_epoch(connection, ticket.trial));
    transaction.commit();
    return true;
  });
}

bool SqlTickets::give_back(const Claim& ticket) {
  return database_.with([&](Connection& connection) -> bool {
    Transaction transaction(connection);
    const auto owner = held_by(connection, ticket);
    if (!owner) return false;
    // The terms stay: who shows the ticket again is told why the trial is not theirs.
    actsearch::give_back(connection, ticket.trial, *owner, {furthest_epoch(connection, ticket.trial), 0, 0}, *owner);
    transaction.commit();
    return true;
  });
}

bool SqlTickets::finish(const Claim& ticket, const TrialRecord& result) {
  return database_.with([&](Connection& connection) -> bool {
    Transaction transaction(connection);
    const auto owner = owner_of(connection, ticket, "running", "released");
    if (!owner) return false;
    connection.run("UPDATE trial SET status = 'running' WHERE id = ?1", ticket.trial);
    actsearch::finish(connection, ticket.trial, *owner, result);
    transaction.commit();
    return true;
  });
}

}  // namespace actsearch
