// The extension actsearch._core: what the Python package (python/actsearch) calls, and nothing for users. Each function gives up the
// interpreter's lock while it may wait or compute for long.

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cerrno>
#include <cstdlib>

#include "db/records.h"
#include "grammar/notation.h"
#include "grammar/operators.h"
#include "python/bindings/formula.h"
#include "python/bindings/session.h"
#include "search/run/race.h"
#include "search/strategies/strategy.h"
#include "search/text/machine.h"
#include "search/text/version.h"

namespace py = pybind11;

namespace actsearch::python {
namespace {

// Numbers.

std::span<const double> readable(const py::buffer_info& info) {
  if (info.format != py::format_descriptor<double>::format() || info.ndim != 1 || info.strides[0] != sizeof(double)) {
    throw std::invalid_argument("a contiguous row of double-precision numbers is wanted");
  }
  return {static_cast<const double*>(info.ptr), static_cast<std::size_t>(info.size)};
}

using Compute = void (Formula::*)(std::span<const double>, const std::vector<double>&, std::span<double>) const;

/// Fills `y` by the formula over `x`.
void over(const Formula& formula, Compute compute, const py::buffer& x, const std::vector<double>& beta, const py::buffer& y) {
  const py::buffer_info from = x.request(), to = y.request(/*writable=*/true);
  const std::span<const double> xs = readable(from);
  (void)readable(to);
  const std::span<double> ys(static_cast<double*>(to.ptr), static_cast<std::size_t>(to.size));
  const py::gil_scoped_release unlocked;
  (formula.*compute)(xs, beta, ys);
}

/// A number column's cell as Python's int or float.
py::object number(const std::string& text) {
  if (text.find_first_not_of("-0123456789") == std::string::npos) {
    errno = 0;
    const long long whole = std::strtoll(text.c_str(), nullptr, 10);
    if (errno == 0) return py::int_(whole);
  }
  return py::float_(std::strtod(text.c_str(), nullptr));
}

// Rows, as dictionaries whose keys are the fields of the package's classes.

/// A number that is stored so that higher is better, as it was told.
std::optional<double> told(const ScoreScale& scale, const std::optional<double>& stored) {
  return stored && scale.negated ? std::optional(-*stored) : stored;
}

py::dict to_dict(const LeaderboardRow& row, const ScoreScale& scale) {
  using namespace py::literals;
  py::dict dict("rank"_a = row.rank, "formula"_a = row.formula, "name"_a = row.name, "status"_a = "finished",
                "score"_a = told(scale, row.mean), "n"_a = row.n, "low"_a = told(scale, scale.negated ? row.high : row.low),
                "high"_a = told(scale, scale.negated ? row.low : row.high), "bound"_a = told(scale, row.bound), "margin"_a = row.margin,
                "best"_a = told(scale, row.best), "validation_loss"_a = row.validation_loss, "beta"_a = row.beta, "seconds"_a = row.seconds,
                "epochs"_a = row.epochs);
  dict["tied"] = row.tied ? py::object(py::make_tuple(row.tied->first, row.tied->last)) : py::none();
  if (const auto& compared = row.compared) {
    dict["difference"] = told(scale, compared->difference);
    dict["difference_low"] = told(scale, scale.negated ? compared->high : compared->low);
    dict["difference_high"] = told(scale, scale.negated ? compared->low : compared->high);
    dict["common_seeds"] = compared->common;
    dict["p"] = compared->p;
    dict["p_alone"] = compared->p_alone;
    dict["equal_within"] = compared->equal_within;
  }
  return dict;
}

py::dict to_dict(const ProvisionalRow& row) {
  using namespace py::literals;
  return py::dict("formula"_a = row.formula, "name"_a = row.name, "status"_a = "paused", "n"_a = row.n, "epochs"_a = row.epochs,
                  "train_loss"_a = row.train_loss);
}

py::list to_list(const Ranking& ranking) {
  py::list list;
  for (const LeaderboardRow& row : ranking.rows) list.append(to_dict(row, ranking.scale));
  for (const ProvisionalRow& row : ranking.paused) list.append(to_dict(row));
  return list;
}

py::dict to_dict(const AskedTrial& trial) {
  using namespace py::literals;
  return py::dict("number"_a = trial.handed_out.ticket.trial, "attempt"_a = trial.handed_out.ticket.attempt,
                  "text"_a = trial.candidate.formula, "name"_a = trial.candidate.name, "seed"_a = trial.seed,
                  "from_epoch"_a = trial.handed_out.from_epoch, "epochs"_a = trial.to_epoch);
}

py::dict to_dict(const TicketTrial& trial) {
  using namespace py::literals;
  const auto conditions = read_told(trial.recipe_text);
  return py::dict("number"_a = trial.ticket.trial, "attempt"_a = trial.ticket.attempt, "text"_a = trial.record.formula,
                  "name"_a = trial.record.name, "seed"_a = trial.seed, "from_epoch"_a = trial.epochs,
                  "epochs"_a = conditions ? conditions->epochs : 1, "lease_left"_a = trial.lease_left.count());
}

/// (columns, rows).
py::tuple to_tuple(const Table& table) {
  py::list rows;
  for (const auto& row : table.rows) {
    py::list cells;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!row[i])
        cells.append(py::none());
      else if (table.numeric[i])
        cells.append(number(*row[i]));
      else
        cells.append(*row[i]);
    }
    rows.append(py::tuple(cells));
  }
  return py::make_tuple(table.columns, rows);
}

/// (answer, reason).
std::pair<std::string, std::string> to_pair(const Reply& reply) { return {std::string(to_text(reply.answer)), reply.reason}; }

// Studies.

/// Whether a call that waits for another process's lock may wait on: not after Ctrl-C. Python's error stays set for `calling`.
bool not_interrupted() {
  const py::gil_scoped_acquire locked;
  return PyErr_Occurred() == nullptr && PyErr_CheckSignals() == 0;
}

/// Runs `call` without the interpreter's lock. Where Ctrl-C ended a wait, that is the error.
template <class Call>
auto calling(const Call& call) {
  try {
    const py::gil_scoped_release unlocked;
    return call();
  } catch (const DatabaseError&) {
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    throw;
  }
}

std::unique_ptr<Session> make_session(
    const std::string& path, const std::string& conditions, int epochs, const std::string& space,
    const std::optional<std::vector<std::string>>& unary, const std::optional<std::vector<std::string>>& binary,
    const std::string& strategy, std::uint64_t seed, int seeds, bool baselines, const std::vector<std::string>& formulas,
    const std::optional<std::tuple<std::vector<int>, std::optional<double>, std::optional<std::string>>>& racing, const std::string& metric,
    bool minimize, double lowest, double highest) {
  if (seed > kLargestSeed) throw std::invalid_argument("a seed is at most " + std::to_string(kLargestSeed));
  std::optional<AskPlan::Race> race;
  if (racing) {
    const auto& [rungs, eta, promote_by] = *racing;
    race = {.rungs = rungs, .choice = {.eta = eta}};
    if (promote_by) race->choice.promote_by = promotion_of(*promote_by);
  }
  const AskPlan plan{
      .conditions = {.text = conditions, .epochs = epochs, .metric = metric, .minimize = minimize, .lowest = lowest, .highest = highest},
      .space = Space(space, unary, binary),
      .strategy = strategy,
      .seed = seed,
      .seeds = seeds,
      .baselines = baselines,
      .given = candidates_of(formulas),
      .race = race,
      .commit = std::string(program_commit()),
      .machine = machine_text()};
  return calling([&] { return std::make_unique<Session>(path, plan, not_interrupted); });
}

ToldEpoch told_epoch(int epoch, const std::optional<double>& train_loss, const std::optional<double>& accuracy) {
  return {.epoch = epoch, .train_loss = train_loss, .accuracy = accuracy};
}

void bind_errors(py::module_& module) {
  const auto named = [](const py::object& error) { error.attr("__module__") = "actsearch"; };
  named(py::register_exception<DatabaseError>(module, "DatabaseError", PyExc_RuntimeError));
  named(py::register_exception<TellError>(module, "TellError", PyExc_RuntimeError));
  named(py::register_exception<NotationError>(module, "FormulaError", PyExc_ValueError));
}

void bind_formula(py::module_& module) {
  const auto unlocked = py::call_guard<py::gil_scoped_release>();
  py::class_<Formula>(module, "Formula")
      .def(py::init<std::string_view>(), unlocked)
      .def("text", &Formula::text)
      .def("latex", &Formula::latex)
      .def("mathml", &Formula::mathml)
      .def_property_readonly("parameter_count", &Formula::parameter_count)
      .def("derivative", &Formula::derivative)
      .def("fingerprint", &Formula::fingerprint, unlocked)
      .def("name", &Formula::name, unlocked)
      .def("refusal", &Formula::refusal, unlocked)
      .def("canonical", &Formula::canonical, unlocked)
      .def("values", [](const Formula& f, const py::buffer& x, const std::vector<double>& beta,
                        const py::buffer& y) { over(f, &Formula::values, x, beta, y); })
      .def("slopes", [](const Formula& f, const py::buffer& x, const std::vector<double>& beta,
                        const py::buffer& dydx) { over(f, &Formula::slopes, x, beta, dydx); })
      .def("svg", &Formula::svg, unlocked)
      .def("exported",
           [](const Formula& f, const std::string& target, const std::string& name) { return py::bytes(f.exported(target, name)); })
      .def("exported_names", &Formula::exported_names);
}

void bind_session(py::module_& module) {
  py::class_<Session>(module, "Session")
      .def(py::init(&make_session))
      .def_property_readonly("study", &Session::study)
      .def_property_readonly("recipe", &Session::recipe)
      .def_property_readonly("recipe_text", &Session::recipe_text)
      .def_property_readonly("note", &Session::note)
      .def_property_readonly("minimizes", &Session::minimizes)
      .def("ask",
           [](Session& session, double lease) -> std::optional<py::dict> {
             const auto trial = calling([&] { return session.ask(std::chrono::seconds(static_cast<std::int64_t>(lease))); });
             return trial ? std::optional(to_dict(*trial)) : std::nullopt;
           })
      .def("epoch",
           [](Session& session, Id trial, int attempt, int epoch, const std::optional<double>& train_loss,
              const std::optional<double>& accuracy) {
             return to_pair(calling([&] { return session.epoch({trial, attempt}, told_epoch(epoch, train_loss, accuracy)); }));
           })
      .def("result",
           [](Session& session, Id trial, int attempt, const std::optional<double>& score, const std::optional<std::string>& failure) {
             return to_pair(calling([&] { return session.result({trial, attempt}, {.score = score, .failure = failure}); }));
           })
      .def("renew",
           [](Session& session, Id trial, int attempt) {
             return to_pair(calling([&] { return session.renew({trial, attempt}, std::nullopt); }));
           })
      .def("give_back",
           [](Session& session, Id trial, int attempt) {
             return to_pair(calling([&] { return session.give_back({trial, attempt}); }));
           })
      .def("elsewhere",
           [](Session& session, const std::string& formula, std::uint64_t seed, const std::optional<double>& score,
              const std::optional<std::string>& failure) {
             return to_pair(calling([&] { return session.elsewhere(formula, seed, {.score = score, .failure = failure}); }));
           })
      .def("find", [](const Session& session, Id trial) { return to_dict(calling([&] { return session.find(trial); })); })
      .def("out",
           [](const Session& session) {
             py::list list;
             for (const TicketTrial& trial : calling([&] { return session.out(); })) list.append(to_dict(trial));
             return list;
           })
      .def("ranking",
           [](const Session& session, int top, const std::string& sort, const std::optional<std::string>& reference) {
             return to_list(calling([&] { return session.ranking(top, sort_named(sort), reference); }));
           })
      .def("query", [](const Session& session, const std::string& sql) { return to_tuple(calling([&] { return session.query(sql); })); });

  // A connection that came over a fork must neither be used nor closed: this one is never destroyed.
  module.def("abandon", [](const py::object& session) { session.inc_ref(); });
  module.def("ranking_of", [](const std::string& path, const std::optional<std::string>& recipe, int top, const std::string& sort,
                              const std::optional<std::string>& reference) {
    return to_list(calling([&] { return ranking_of(path, recipe, top, sort_named(sort), reference); }));
  });
  module.def("read_ticket", [](const std::string& text) {
    const Claim ticket = read_ticket(text);
    return std::pair(ticket.trial, ticket.attempt);
  });
  module.def("ticket_text", [](Id trial, int attempt) { return ticket_text({trial, attempt}); });
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.attr("version") = std::string(program_version());
  module.attr("commit") = std::string(program_commit());
  module.attr("strategies") = py::cast(std::vector<std::string>(strategy_names().begin(), strategy_names().end()));
  bind_errors(module);
  bind_formula(module);
  bind_session(module);
}

}  // namespace actsearch::python
