// What is made from the commands' flags: the man page, and completion in shells.

#include <gtest/gtest.h>

#include <cstdlib>
#include <regex>

#include "tests/search/command_line.h"

namespace actsearch::testing {
namespace {

bool has_program(const std::string& name) { return std::system(("command -v " + name + " > /dev/null 2>&1").c_str()) == 0; }

class HelpTexts : public CommandLine {
 protected:
  /// The commands that `actsearch --help` lists.
  std::vector<std::string> commands() const {
    std::istringstream lines(run({"--help"}).out);
    std::vector<std::string> names;
    bool listed = false;
    for (std::string line; std::getline(lines, line);) {
      if (line == "Commands") listed = true;
      if (line.empty()) listed = false;
      if (std::smatch match; listed && std::regex_search(line, match, std::regex("^  ([a-z]+)  "))) names.push_back(match[1]);
    }
    EXPECT_GE(names.size(), 20u);
    return names;
  }
  /// "--db", "--space", … of a command's help.
  std::vector<std::string> flags(const std::string& command) const {
    const std::string help = run({command, "--help"}).out;
    std::vector<std::string> names;
    const std::regex flag("\n  (--[a-z-]+)");
    for (auto match = std::sregex_iterator(help.begin(), help.end(), flag); match != std::sregex_iterator(); ++match)
      names.push_back((*match)[1]);
    EXPECT_FALSE(names.empty()) << help;
    return names;
  }
  /// What completes the words: the offered texts, and ":files" or ":directories".
  std::vector<std::string> offered(std::vector<std::string> words) const {
    words.insert(words.begin(), "__complete");
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    std::vector<std::string> texts;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) texts.push_back(line.substr(0, line.find('\t')));
    return texts;
  }
  /// A shell's exit code and output, with the program on the PATH and the test's directory as the working directory.
  Ran shell(const std::string& name, const std::string& script) const {
    std::filesystem::create_directories(path("bin"));
    if (!std::filesystem::exists(path("bin/actsearch"))) std::filesystem::create_symlink(ACTSEARCH_PROGRAM, path("bin/actsearch"));
    std::ofstream(path("script")) << script;
    const int status =
        std::system(("cd '" + path("") + "' && PATH=\"$PWD/bin:$PATH\" " + name + " script > out 2> err < /dev/null").c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(path("out")), read_text(path("err"))};
  }
  /// Completion as bash does it: what it puts into COMPREPLY for words that are cut as bash cuts them, the last up to the cursor.
  std::vector<std::string> in_bash(const std::vector<std::string>& words) const {
    std::string line = "COMP_WORDS=(actsearch";
    for (const std::string& word : words) line += " '" + word + "'";
    line += ")\nCOMP_CWORD=" + std::to_string(words.size()) + "\n";
    const Ran ran = shell("bash", "source <(actsearch completion bash)\ncomplete -p actsearch > /dev/null || exit 3\n" + line +
                                      "_actsearch actsearch \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"\n"
                                      "printf '%s\\n' \"${COMPREPLY[@]}\"\n");
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err, "");
    std::vector<std::string> texts;
    std::istringstream lines(ran.out);
    for (std::string text; std::getline(lines, text);) {
      if (!text.empty()) texts.push_back(text);
    }
    return texts;
  }
};

using Texts = std::vector<std::string>;

TEST_F(HelpTexts, TheManPageHasEveryFlagOfEveryCommand) {
  const Ran page = run({"help", "--format", "man"});
  EXPECT_EQ(page.code, 0) << page.err;
  EXPECT_EQ(page.out, run({"help", "--format", "man"}).out);
  for (const std::string& command : commands()) {
    const std::size_t begin = page.out.find("\n.SS \"actsearch " + command + " ");
    ASSERT_NE(begin, std::string::npos) << command;
    const std::string section = page.out.substr(begin, page.out.find("\n.S", begin + 1) - begin);
    for (const std::string& flag : flags(command)) {
      const std::string in_roff = std::regex_replace(flag, std::regex("-"), "\\-");
      EXPECT_NE(section.find("\n.TP\n\\fB" + in_roff + "\\fR"), std::string::npos) << command << " " << flag;
    }
  }
  refuses({"help", "search", "--format", "man"}, kUsage, {"--format man", "one page"});
  refuses({"help", "--format", "roff"}, kUsage, {"'roff'", "text, man"});
}

TEST_F(HelpTexts, TheManPageIsReadByItsReadersWithoutAWarning) {
  std::ofstream(path("actsearch.1")) << run({"help", "--format", "man"}).out;
  const std::vector<std::pair<std::string, std::string>> readers{
      {"groff", "groff -man -ww -z -Tutf8"}, {"man", "MANWIDTH=80 man --warnings -l"}, {"mandoc", "mandoc -Tlint -W error"}};
  int met = 0;
  for (const auto& [program, call] : readers) {
    if (!has_program(program)) continue;
    ++met;
    const Ran ran = shell("bash", "export LC_ALL=C.UTF-8\n" + call + " actsearch.1\n");
    EXPECT_EQ(ran.code, 0) << program << ": " << ran.out.substr(0, 500) << ran.err;
    EXPECT_EQ(ran.err, "") << program;
    if (program == "man") {
      EXPECT_NE(ran.out.find("actsearch - search engine for activation functions"), std::string::npos) << ran.out.substr(0, 500);
      EXPECT_NE(ran.out.find("--budget-time T"), std::string::npos);
      EXPECT_NE(ran.out.find("± %"), std::string::npos) << "a letter beyond ASCII";
    }
  }
  if (met == 0) GTEST_SKIP() << "neither groff nor man nor mandoc is installed";
}

TEST_F(HelpTexts, CompletionKnowsCommandsFlagsValuesAndPaths) {
  EXPECT_EQ(offered({"se"}), (Texts{"search", "serve"}));
  EXPECT_EQ(offered({"--v"}), Texts{"--version"});
  for (const std::string& command : commands()) {
    EXPECT_EQ(offered({command}), Texts{command});
    EXPECT_EQ(offered({command, "--"}), flags(command)) << command;
  }
  EXPECT_EQ(offered({"search", "--strategy", ""}), (Texts{"random", "exhaustive", "evolution", "ppo", "surrogate"}));
  EXPECT_EQ(offered({"search", "--strategy", "ev"}), Texts{"evolution"});
  EXPECT_EQ(offered({"search", "--strategy=ev"}), Texts{"--strategy=evolution"});
  EXPECT_EQ(offered({"search", "--space", "core"}), (Texts{"core1", "core2", "core3"}));
  EXPECT_EQ(offered({"rerun", "--recipe", "resnet2"}), (Texts{"resnet20-short", "resnet20"}));
  EXPECT_EQ(offered({"search", "--unary", "sin,sig"}), Texts{"sin,sigmoid"});
  EXPECT_EQ(offered({"search", "--unary=sinc,tanh,sin"}), (Texts{"--unary=sinc,tanh,sin", "--unary=sinc,tanh,sinh"})) << "each once";
  EXPECT_EQ(offered({"export", "swish", "--to", "py"}), Texts{"pytorch"});
  EXPECT_EQ(offered({"ask", "--to", "ke"}), Texts{"keras"});
  EXPECT_EQ(offered({"search", "--target", "on"}), Texts{"onnx"});
  EXPECT_EQ(offered({"leaderboard", "--format", ""}), (Texts{"table", "csv", "json"}));
  EXPECT_EQ(offered({"show", "swi"}), (Texts{"swish1", "swish"}));
  EXPECT_EQ(offered({"help", "lea"}), Texts{"leaderboard"});
  EXPECT_EQ(offered({"completion", ""}), (Texts{"bash", "zsh", "fish"}));
  EXPECT_EQ(offered({"search", "--db", ""}), Texts{":files"});
  EXPECT_EQ(offered({"search", "--db=x"}), Texts{":files"});
  EXPECT_EQ(offered({"report", "--db", "x", "--out", "d"}), Texts{":directories"});
  // A flag is not offered twice, but one that may be given several times is.
  EXPECT_EQ(offered({"search", "--db", "x", "--db"}), Texts{});
  EXPECT_EQ(offered({"search", "--expr", "relu", "--exp"}), Texts{"--expr"});
  EXPECT_EQ(offered({"search", "--seeds", "--db", "--d"}), (Texts{"--db", "--data", "--device", "--deterministic"}))
      << "--db is a value here";
  for (const Texts& nothing :
       {Texts{"nonsense", ""}, {"search", "--nonsense=x"}, {"search", "--baselines=x"}, {"search", "--seeds", ""}, {""}, {}}) {
    if (nothing == Texts{""}) continue;
    EXPECT_EQ(offered(nothing), Texts{});
  }
}

TEST_F(HelpTexts, BashCompletes) {
  if (!has_program("bash")) GTEST_SKIP() << "bash is not installed";
  std::ofstream(path("first run.db")) << "";
  std::filesystem::create_directories(path("firm"));
  EXPECT_EQ(in_bash({"fin"}), Texts{"finalists"});
  EXPECT_EQ(in_bash({"search", "--budget-t"}), (Texts{"--budget-time", "--budget-trials"}));
  EXPECT_EQ(in_bash({"search", "--strategy", "ev"}), Texts{"evolution"});
  EXPECT_EQ(in_bash({"search", "--strategy", "=", "ev"}), Texts{"evolution"}) << "bash cuts at the sign of equality";
  EXPECT_EQ(in_bash({"search", "--strategy", "="}), (Texts{"random", "exhaustive", "evolution", "ppo", "surrogate"}));
  EXPECT_EQ(in_bash({"search", "--unary", "sin,sig"}), Texts{"sin,sigmoid"});
  EXPECT_EQ(in_bash({"search", "--data", "synthetic", ":", "300", "--strategy", "ev"}), Texts{"evolution"}) << "and at colons";
  EXPECT_EQ(in_bash({"leaderboard", "--db", "fir"}), (Texts{"firm", "first run.db"}));
  EXPECT_EQ(in_bash({"leaderboard", "--db", "=", "first"}), Texts{"first run.db"});
  EXPECT_EQ(in_bash({"report", "--out", "fir"}), Texts{"firm"}) << "folders alone";
  EXPECT_EQ(in_bash({"show", "x * tanh(x)", "--form"}), Texts{"--format"});
  EXPECT_EQ(in_bash({"nonsense", ""}), Texts{});
}

TEST_F(HelpTexts, TheScriptsOfOtherShellsAreRead) {
  refuses({"completion"}, kUsage, {"bash, zsh or fish"});
  refuses({"completion", "tcsh"}, kUsage, {"'tcsh'", "bash, zsh and fish"});
  int met = 0;
  if (has_program("zsh")) {
    ++met;
    const Ran ran = shell("zsh -f",
                          "autoload -U compinit && compinit -u -D && source <(actsearch completion zsh) && whence -w _actsearch\n"
                          "print ${_comps[actsearch]}\n");
    EXPECT_EQ(ran.out, "_actsearch: function\n_actsearch\n") << ran.err;
  }
  if (has_program("fish")) {
    ++met;
    const Ran ran = shell("fish --no-config",
                          "actsearch completion fish | source\ncomplete --do-complete 'actsearch search --strategy ev'\n"
                          "complete --do-complete 'actsearch search --strategy=ev'\n");
    EXPECT_EQ(ran.out, "evolution\n--strategy=evolution\n") << ran.err;
  }
  if (met == 0) GTEST_SKIP() << "neither zsh nor fish is installed";
}

TEST_F(HelpTexts, TheInstalledProgramNeedsNothingOfTheRepository) {
  const std::string prefix = path("a prefix");
  const Ran installed =
      shell("bash", "'" ACTSEARCH_CMAKE "' --install '" ACTSEARCH_BUILD_DIR "' --component program --prefix '" + prefix + "'\n");
  ASSERT_EQ(installed.code, 0) << installed.out << installed.err;
  EXPECT_EQ(read_text(prefix + "/share/man/man1/actsearch.1"), run({"help", "--format", "man"}).out);
  EXPECT_EQ(read_text(prefix + "/share/bash-completion/completions/actsearch"), run({"completion", "bash"}).out);
  EXPECT_EQ(read_text(prefix + "/share/zsh/site-functions/_actsearch"), run({"completion", "zsh"}).out);
  EXPECT_EQ(read_text(prefix + "/share/fish/vendor_completions.d/actsearch.fish"), run({"completion", "fish"}).out);
  EXPECT_NE(read_text(prefix + "/share/doc/actsearch/LICENSE").find("MIT"), std::string::npos);

  const std::string alone = "env -i HOME=/nonexistent '" + prefix + "/bin/actsearch' ";
  for (const std::string& command : {std::string("--version"), std::string("show swish --at 1"), std::string("export swish --to pytorch"),
                                     std::string("plot swish --out swish.svg"),
                                     std::string("search --db a.db --data synthetic:200 --batch 50 --epochs 1 --budget-trials 1 --jobs 1"),
                                     std::string("report --db a.db --out page")}) {
    const Ran ran = shell("bash", alone + command + "\n");
    EXPECT_EQ(ran.code, 0) << command << "\n" << ran.err;
  }
  EXPECT_NE(read_text(path("page/index.html")).find("</html>"), std::string::npos);
}

}  // namespace
}  // namespace actsearch::testing
