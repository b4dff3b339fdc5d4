// What stands for the conditions of a command's trials, and the command's places for what differs between them.

#include "evaluator/external/conditions.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "evaluator/external/command_template.h"

namespace actsearch {
namespace {

TEST(ExternalConditions, AreReadBackFromTheirText) {
  ExternalConditions conditions;
  EXPECT_EQ(read_external_conditions(to_text(conditions)), conditions);
  conditions.command = "python 'my train.py' --act {module} \"x\\y\"\n\t--epochs {epochs} äöü";
  conditions.version = "3 \"final\" command=x";
  conditions.metric = "test loss";
  conditions.target = "jax";
  conditions.minimize = true;
  conditions.lowest = -1.5;
  conditions.highest = std::numeric_limits<double>::infinity();
  conditions.epochs = 25;
  conditions.fresh = true;
  EXPECT_EQ(read_external_conditions(to_text(conditions)), conditions) << to_text(conditions);
  EXPECT_EQ(to_text(conditions).find('\n'), std::string::npos);
}

TEST(ExternalConditions, DifferInTextWhereverTheyDiffer) {
  const ExternalConditions usual;
  ExternalConditions other = usual;
  other.version = "2";
  EXPECT_NE(to_text(other), to_text(usual));
  other = usual;
  other.command = "b";
  EXPECT_NE(to_text(other), to_text(usual));
}

TEST(ExternalConditions, AreNoOtherText) {
  const std::string text = to_text({});
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(read_external_conditions(text.substr(0, size))) << size;
  EXPECT_FALSE(read_external_conditions(text + " more"));
  EXPECT_FALSE(read_external_conditions("vgg16-slim epochs=3 batch=128"));
}

TEST(CommandTemplate, QuotesValuesForTheShell) {
  const CommandTemplate command("train {module} --seed={seed} ${HOME} {{plain}} ${epochs}");
  EXPECT_TRUE(command.uses("module"));
  EXPECT_FALSE(command.uses("epochs"));
  EXPECT_EQ(command.filled({{"module", "/a b/it's.py"}, {"seed", "7"}}), "train '/a b/it'\\''s.py' --seed='7' ${HOME} {plain} ${epochs}");
}

TEST(CommandTemplate, RefusesWhatIsNoPlaceholder) {
  EXPECT_THROW(CommandTemplate("  "), std::invalid_argument);
  try {
    CommandTemplate("train {modul}");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("{module}"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("{{modul}}"), std::string::npos) << error.what();
  }
  EXPECT_THROW((void)CommandTemplate("{gpu}").filled({{"seed", "1"}}), std::invalid_argument);
}

}  // namespace
}  // namespace actsearch
