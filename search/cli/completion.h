/// Completion of command lines in shells, from the commands' own flags. The shells' scripts ask the program itself: `actsearch __complete
/// WORD…` with the words behind its name up to the cursor. So a script fits any version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "search/cli/command.h"

namespace actsearch {

inline constexpr std::string_view kCompletionQuestion = "__complete";  ///< the first word of such a call

struct Completion {
  struct Word {
    std::string text;  ///< what may stand in the place of the last word
    std::string help;  ///< a few words; may be empty
  };
  enum class Paths : std::uint8_t { kNone, kFiles, kDirectories };
  std::vector<Word> words;
  Paths paths = Paths::kNone;  ///< which of them may stand there too; behind the "=" where the last word has one
};

/// What completes the last of the words, which may be empty. Nothing where no more is known.
Completion complete(const Words& typed);
/// A line for each word, "text<TAB>help", then ":files" or ":directories".
std::string to_text(const Completion& completion);

// The scripts, completion.bash and so on, put into the program by the build.
extern const char* const kBashCompletion;
extern const char* const kZshCompletion;
extern const char* const kFishCompletion;

}  // namespace actsearch
