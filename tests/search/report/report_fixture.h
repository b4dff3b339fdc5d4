/// Databases for the tests of report and serve, written by SQL: as a search would leave them, only faster, and some as none would.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "db/sql/leaderboard.h"
#include "db/sql/provisional.h"
#include "db/sqlite/schema.h"
#include "grammar/candidate.h"
#include "grammar/notation.h"
#include "grammar/space.h"

namespace actsearch::testing {

inline constexpr const char* kReportRecipe = "vgg16-slim features=16-16-M epochs=3 batch=128 precision=bf16 data=CIFAR-10, a test's";
inline constexpr const char* kHostileText = "</script><img src=x onerror=\"document.title='owned'\"><!-- {{data}} ' \" & \\ \x01";

/// Writes into one file, in one transaction that ends with the object.
class ReportFixture {
 public:
  explicit ReportFixture(const std::filesystem::path& file)
      : connection_(open_for_writing(file, std::chrono::seconds(20))), transaction_(*connection_) {}
  ~ReportFixture() {
    refresh_all_standings(*connection_);
    connection_->execute("UPDATE recipe SET done = (SELECT count(*) FROM trial WHERE trial.recipe = recipe.id AND status = 'done')");
    transaction_.commit();
  }
  ReportFixture(const ReportFixture&) = delete;
  ReportFixture& operator=(const ReportFixture&) = delete;

  Id study(const std::string& recipe_text = kReportRecipe, const std::string& machine = "a machine",
           const std::string& conditions = R"({"seeds":2,"epochs":3})") {
    connection_->run(
        "INSERT INTO study (kind, space, strategy, seed, recipe, data, conditions, program_commit, machine)"
        " VALUES ('search', 'core1', 'random', 0, ?1, 'CIFAR-10', ?3, 'abc123', ?2)",
        recipe_text, machine, conditions);
    return connection_->last_insert_id();
  }
  Id recipe(const std::string& text = kReportRecipe) {
    connection_->run("INSERT INTO recipe (name, text) VALUES (?1, ?2)", text.substr(0, text.find(' ')), text);
    return connection_->last_insert_id();
  }
  /// With the fingerprint and name of what it computes where it is a formula, else with the text itself as both.
  Id candidate(const std::string& formula) {
    std::string fingerprint = "of " + formula, name;
    try {
      if (auto considered = consider(parse(formula)); const auto* known = std::get_if<Candidate>(&considered)) {
        fingerprint = known->fingerprint;
        name = known->name;
      }
    } catch (const NotationError&) {
      name = formula;
    }
    return candidate(formula, fingerprint, name);
  }
  Id candidate(const std::string& formula, const std::string& fingerprint, const std::string& name) {
    connection_->run("INSERT INTO candidate (fingerprint, formula, name, parameters) VALUES (?1, ?2, ?3, ?4)", fingerprint, formula, name,
                     static_cast<int>(formula.find("beta") != std::string::npos));
    return connection_->last_insert_id();
  }
  /// A finished trial with its curve.
  void finished(Id candidate, Id recipe, std::uint64_t seed, double accuracy, double seconds = 60, int epochs = 3) {
    const Id trial = insert(candidate, recipe, seed, "done");
    const double loss = 1.5 - accuracy;
    connection_->run(
        "UPDATE trial SET validation_accuracy = ?2, train_loss = ?3, seconds = ?4, epochs = ?5, beta ="
        " '[{\"mean\":1.0123456,\"deviation\":0.0412345,\"min\":0.81234567,\"max\":1.2345678}]' WHERE id = ?1",
        trial, accuracy, loss, seconds, epochs);
    for (int epoch = 0; epoch < epochs; ++epoch) {
      const double part = (epoch + 1.0) / epochs;
      connection_->run(
          "INSERT INTO epoch (trial, epoch, learning_rate, train_loss, train_accuracy, validation_loss, validation_accuracy, seconds)"
          " VALUES (?1, ?2, 0.1, ?3, ?4, ?5, ?6, 20)",
          trial, epoch, loss * (3.123 - part), accuracy * (0.6512 + 0.3 * part), loss * (2.987 - part), accuracy * (0.7 + 0.3 * part));
    }
  }
  void failed(Id candidate, Id recipe, std::uint64_t seed, const std::string& reason, const std::string& detail) {
    connection_->run("UPDATE trial SET failure = ?2, failure_detail = ?3, seconds = 1 WHERE id = ?1",
                     insert(candidate, recipe, seed, "failed"), reason, detail);
  }
  /// In progress, with one epoch.
  void running(Id candidate, Id recipe, std::uint64_t seed) {
    connection_->run("INSERT INTO epoch (trial, epoch, train_loss, validation_accuracy) VALUES (?1, 0, 1.25, 0.4)",
                     insert(candidate, recipe, seed, "running"));
  }
  /// In progress under a lease of ten minutes, so many epochs and hundredths of one trained.
  void at_work(Id candidate, Id recipe, std::uint64_t seed, int epochs, int hundredths) {
    connection_->run(
        "UPDATE trial SET lease_until_ms = 1000 * (600 + CAST(strftime('%s', 'now') AS INTEGER)), trained_epochs = ?2, trained_steps = ?3,"
        " epoch_steps = 100, started = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-90 seconds') WHERE id = ?1",
        insert(candidate, recipe, seed, "running"), epochs, hundredths);
  }
  /// Paused after so many of 100 steps of its first epoch, in the study.
  void paused(Id study, Id candidate, Id recipe, int step, double loss) {
    const Id trial = insert(candidate, recipe, 0, "released");
    connection_->run("INSERT INTO study_trial (study, trial) VALUES (?1, ?2)", study, trial);
    for (int at = 25; at <= step; at += 25) connection_->run("INSERT INTO pause VALUES (?1, 0, ?2, 100, ?3, 0.2, 1)", trial, at, loss);
    note_reached(*connection_, trial);
  }
  void rejected(Id study, const std::string& formula, const std::string& reason) {
    connection_->run("INSERT INTO rejection (study, formula, reason) VALUES (?1, ?2, ?3)", study, formula, reason);
  }

 private:
  Id insert(Id candidate, Id recipe, std::uint64_t seed, const char* status) {
    connection_->run(
        "INSERT INTO trial (candidate, recipe, seed, status, attempts, owner, lease_until_ms, finished)"
        " VALUES (?1, ?2, ?3, ?4, 1, '', 0, CASE WHEN ?4 <> 'running' THEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') END)",
        candidate, recipe, seed, std::string_view(status));
    return connection_->last_insert_id();
  }

  std::unique_ptr<sqlite::Connection> connection_;
  sqlite::Transaction transaction_;
};

/// A few functions with three seeds each, ReLU and Swish among them, one failure and one refusal.
inline void fill_small(const std::filesystem::path& file) {
  ReportFixture fixture(file);
  const Id study = fixture.study(), recipe = fixture.recipe();
  double accuracy = 0.70;
  for (const char* formula :
       {"max(x, 0)", "x * sigmoid(x)", "x * sigmoid(beta * x)", "max(x, sin(x))", "tanh(x)", "x * erf(softplus(x))"}) {
    const Id candidate = fixture.candidate(formula);
    for (std::uint64_t seed = 0; seed < 3; ++seed)
      fixture.finished(candidate, recipe, seed, accuracy + 0.002 * static_cast<double>(seed * seed));
    accuracy += 0.01;
  }
  fixture.failed(fixture.candidate("exp(x) * x"), recipe, 0, "non-finite loss", "in epoch 0");
  fixture.rejected(study, "x - x", "constant");
}

/// Thirty functions with two seeds each, of which ReLU and Swish-1 are the last two.
inline void fill_many(const std::filesystem::path& file) {
  ReportFixture fixture(file);
  fixture.study();
  const Id recipe = fixture.recipe();
  std::vector<std::string> formulas{"max(x, 0)", "x * sigmoid(x)"};
  for (int i = 0; i < 28; ++i) formulas.push_back("sin(x) + " + std::to_string(i) + " * tanh(x)");
  for (std::size_t i = 0; i < formulas.size(); ++i) {
    const Id candidate = fixture.candidate(formulas[i]);
    const double noise = i < 29 ? 0.004 * static_cast<double>(i % 3) : 0;  // the best differs from ReLU by the same with each seed
    for (std::uint64_t seed = 0; seed < 2; ++seed)
      fixture.finished(candidate, recipe, seed, 0.70 + 0.001 * static_cast<double>(i) + noise * static_cast<double>(seed));
  }
}

/// A study whose first trial is still in progress, with its curve so far; its lease is over. Another is at work.
inline void fill_begun(const std::filesystem::path& file) {
  ReportFixture fixture(file);
  fixture.study();
  const Id recipe = fixture.recipe();
  fixture.running(fixture.candidate("max(x, 0)"), recipe, 0);
  fixture.at_work(fixture.candidate("x * sin(x)"), recipe, 1, 1, 25);
}

/// A race with rungs after 0.25 and 0.5 epochs: `finished` functions that came to the end, two paused at the second rung, four at the
/// first.
inline void fill_race(const std::filesystem::path& file, int finished = 1) {
  ReportFixture fixture(file);
  const Id study = fixture.study(kReportRecipe, "a machine", R"({"seeds":1,"epochs":3,"racing":{"rungs":[[0,25],[0,50]],"eta":2.2}})");
  const Id recipe = fixture.recipe();
  double loss = 2.0;
  for (const char* formula : {"max(x, 0)", "x * sigmoid(x)"}) fixture.paused(study, fixture.candidate(formula), recipe, 50, loss -= 0.1);
  for (const char* formula : {"tanh(x)", "sin(x)", "cos(x)", "atan(x)"})
    fixture.paused(study, fixture.candidate(formula), recipe, 25, loss += 0.15);
  for (int i = 0; i < finished; ++i) fixture.finished(fixture.candidate("x + " + std::to_string(i) + " * sin(x)"), recipe, 0, 0.7);
}

/// ReLU under two recipes of one name, with accuracies 0.5 (two seeds) and 0.6.
inline void fill_two_recipes(const std::filesystem::path& file) {
  ReportFixture fixture(file);
  const Id relu = fixture.candidate("max(x, 0)");
  const std::string texts[] = {"vgg-s epochs=1 precision=fp32 data=a", "vgg-s epochs=2 precision=fp32 data=a"};
  for (const std::string& text : texts) fixture.study(text);
  const Id first = fixture.recipe(texts[0]), second = fixture.recipe(texts[1]);
  for (std::uint64_t seed = 0; seed < 2; ++seed) fixture.finished(relu, first, seed, 0.5);
  fixture.finished(relu, second, 0, 0.6);
}

/// So many trials of five epochs, each of another function of core2.
inline void fill_large(const std::filesystem::path& file, int trials) {
  ReportFixture fixture(file);
  fixture.study();
  const Id recipe = fixture.recipe();
  const Space space("core2");
  std::mt19937_64 random(20171016);
  for (int i = 0; i < trials; ++i) {
    const std::string formula = to_text(space.at(space.sample(random())));
    const double accuracy = 0.1 + 0.67 * std::sqrt(std::uniform_real_distribution<>()(random));
    fixture.finished(fixture.candidate(formula, std::to_string(i), ""), recipe, 0, std::round(accuracy * 5000) / 5000,
                     std::lognormal_distribution<>(4, 0.3)(random), 5);
  }
}

/// Hostile text wherever a text is stored.
inline void fill_hostile(const std::filesystem::path& file) {
  const std::string evil = kHostileText;
  ReportFixture fixture(file);
  const Id study = fixture.study(evil + " data=" + evil, evil), recipe = fixture.recipe(evil + " data=" + evil);
  fixture.finished(fixture.candidate(evil), recipe, 0, 0.7);
  fixture.finished(fixture.candidate("=1+cmd|' /C calc'!A0"), recipe, 0, 0.6);
  fixture.finished(fixture.candidate("max(x, 0)"), recipe, 0, 0.5);
  fixture.failed(fixture.candidate("x * " + evil), recipe, 1, evil, evil);
  fixture.rejected(study, evil, evil);
}

/// One more finished trial, of tanh's square, in a database of fill_small.
inline void finish_one_more(const std::filesystem::path& file) {
  ReportFixture fixture(file);
  fixture.finished(fixture.candidate("square(tanh(x))"), 1, 0, 0.99);
}

}  // namespace actsearch::testing
