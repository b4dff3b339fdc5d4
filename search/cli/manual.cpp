#include "search/cli/manual.h"

#include <array>
#include <iomanip>
#include <sstream>
#include <string_view>
#include <utility>

#include "search/cli/command.h"
#include "search/text/version.h"

namespace actsearch {
namespace {

struct Entry {
  std::string_view term, meaning;
};

constexpr std::string_view kPurpose =
    "Searches for activation functions, such as ReLU or Swish. It builds formulas from operators and\n"
    "trains a small network on CIFAR-10 with each, for a short time. The scores are kept and ranked in\n"
    "one SQLite file. The best formulas are then trained at full length.";

constexpr auto kWords = std::to_array<Entry>({
    {"formula", "an activation as text, \"x * sigmoid(beta * x)\", or a name such as swish"},
    {"beta", "a number in a formula that training learns, one for each channel"},
    {"seed", "the number that fixes a training's initial weights and order of images"},
    {"trial", "one training of one function with one seed"},
    {"recipe", "the network, optimiser, schedule and length of a training"},
    {"proxy", "a short recipe, which stands in for a long training"},
});

constexpr auto kFirstSteps = std::to_array<Entry>({
    {"A first search:", "actsearch search --db first.db --baselines --budget-time 10m"},
    {"Its ranking:", "actsearch leaderboard --db first.db"},
});

constexpr auto kExitCodes = std::to_array<Entry>({{"0", "success"}, {"1", "failure"}, {"2", "wrong usage"}, {"130", "interrupted"}});

constexpr auto kEnvironment = std::to_array<Entry>({
    {"ACTSEARCH_DATA", "Where the images are, where --data does not say it."},
    {"XDG_CACHE_HOME", "The folder for actsearch/, which keeps compiled CUDA kernels and resized pictures. Without it: ~/.cache."},
    {"NO_COLOR", "If set and not empty, progress and plots have no colours."},
    {"TERM", "With dumb, progress has no live lines."},
});

constexpr auto kFiles = std::to_array<Entry>({
    {"FILE.checkpoints/", "Beside the database FILE: trials in progress, from which the same command goes on."},
    {"FILE.logs/", "Beside the database FILE: what the commands of `search --evaluator` printed, a file for each trial."},
});

std::string padded(std::string_view text, std::size_t width) { return std::string(text).append(width - text.size(), ' '); }

/// Text for roff: no character of it is taken for a request or an escape. What stands between backticks is bold.
std::string roff(std::string_view text) {
  std::ostringstream out;
  bool bold = false;
  if (text.starts_with('.')) out << "\\&";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x80) {  // UTF-8: of two bytes or more, the first says how many
      const std::size_t more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
      unsigned code = byte & (0x3fU >> more);
      for (std::size_t k = 0; k < more && i + 1 < text.size(); ++k) code = code << 6 | (static_cast<unsigned char>(text[++i]) & 0x3fU);
      out << "\\[u" << std::hex << std::uppercase << std::setw(4) << std::setfill('0') << code << ']';
      continue;
    }
    switch (text[i]) {
      case '`':
        bold = !bold;
        out << (bold ? "\\fB" : "\\fR");
        break;
      case '\\':
        out << "\\(rs";
        break;
      case '-':
        out << "\\-";
        break;
      case '\'':
        out << "\\(aq";
        break;
      case '"':
        out << "\\(dq";
        break;
      case '^':
        out << "\\(ha";
        break;
      case '~':
        out << "\\(ti";
        break;
      default:
        out << text[i];
    }
  }
  return out.str();
}

/// A help text: paragraphs that are filled, but indented lines and examples stay as they are. It begins no paragraph of its own.
void write_text(std::ostream& out, std::string_view text) {
  bool begins = false, verbatim = false;
  const auto end_verbatim = [&] {
    if (std::exchange(verbatim, false)) out << ".fi\n.RE\n";
  };
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      end_verbatim();
      begins = true;
      continue;
    }
    const bool kept = line.starts_with("  ") || line.starts_with("Example");
    if (!kept) end_verbatim();
    if (begins) out << (kept ? ".sp\n" : ".PP\n");
    if (kept && !std::exchange(verbatim, true)) out << ".RS 2\n.nf\n";
    begins = false;
    out << roff(line) << '\n';
  }
  end_verbatim();
}

template <class Entries>
void write_entries(std::ostream& out, const Entries& entries) {
  for (const Entry& entry : entries) out << ".TP\n.B " << roff(entry.term) << '\n' << roff(entry.meaning) << '\n';
}

void write_command(std::ostream& out, const Command& command) {
  const Options options = command.declared();
  out << ".SS \"actsearch " << command.name << (options.usage().empty() ? "" : " ") << roff(options.usage()) << "\"\n";
  write_text(out, options.about());
  for (const Options::Declared& flag : options.flags()) {
    out << ".TP\n\\fB" << roff("--" + flag.name) << "\\fR";
    if (!flag.placeholder.empty()) out << " \\fI" << roff(flag.placeholder) << "\\fR";
    out << '\n' << roff(flag.help) << '\n';
  }
  if (options.epilogue().empty()) return;
  out << (options.epilogue().starts_with("Example") ? ".sp\n" : ".PP\n");
  write_text(out, options.epilogue());
}

}  // namespace

std::string overview() {
  std::ostringstream out;
  out << "usage: actsearch COMMAND [flags]\n\n" << kPurpose << "\n\nCommands\n";
  for (const Command& command : commands()) out << "  " << padded(command.name, 14) << command.summary << '\n';
  out << "\n`actsearch help COMMAND` explains a command's flags, `actsearch --version` says what was built.\n"
         "\nWords that the other help texts use\n";
  for (const Entry& word : kWords) out << "  " << padded(word.term, 12) << word.meaning << '\n';
  out << '\n';
  for (const Entry& step : kFirstSteps) out << padded(step.term, 18) << step.meaning << '\n';
  out << "\nExit codes:";
  for (const Entry& code : kExitCodes) out << (&code == kExitCodes.data() ? " " : ", ") << code.term << ' ' << code.meaning;
  out << ".\n";
  return out.str();
}

std::string man_page() {
  std::ostringstream out;
  out << ".TH ACTSEARCH 1 \"\" \"actsearch " << program_version() << "\" \"User Commands\"\n"
      << ".SH NAME\nactsearch \\- search engine for activation functions\n"
      << ".SH SYNOPSIS\n.B actsearch\n\\fICOMMAND\\fR [\\fIflags\\fR]\n"
      << ".SH DESCRIPTION\n";
  write_text(out, kPurpose);
  out << ".PP\n";
  write_text(out, "These words stand in the descriptions below:");
  write_entries(out, kWords);
  out << ".PP\n";
  write_text(out, "Flags have two dashes, `--flag value` or `--flag=value`. A word with one dash is an argument: formulas may begin so.");
  out << ".SH COMMANDS\n";
  for (const Command& command : commands()) out << ".TP\n.B " << command.name << '\n' << roff(command.summary) << '\n';
  out << ".SH FLAGS OF EACH COMMAND\nDefaults stand in brackets.\n";
  for (const Command& command : commands()) write_command(out, command);
  out << ".SH EXIT STATUS\n";
  write_entries(out, kExitCodes);
  out << ".SH ENVIRONMENT\n";
  write_entries(out, kEnvironment);
  out << ".SH FILES\n";
  write_entries(out, kFiles);
  out << ".SH EXAMPLES\n";
  for (const Entry& step : kFirstSteps) {
    if (&step != kFirstSteps.data()) out << ".PP\n";
    out << roff(step.term) << "\n.RS 2\n.nf\n" << roff(step.meaning) << "\n.fi\n.RE\n";
  }
  return out.str();
}

}  // namespace actsearch
