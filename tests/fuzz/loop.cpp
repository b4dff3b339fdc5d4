// In the place of libFuzzer, where the compiler has none: the same entry on the corpus, and on what a deterministic mutator makes of it.
//
// FUZZER CORPUS_DIRECTORY [SECONDS [SEED]]   the corpus, then mutations until the time is up
// FUZZER FILE                                that input alone
//
// The input at work when the process aborts, traps or takes half a minute is left in ./crash-NAME.

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "evaluator/data/random.h"
#include "tests/fuzz/fuzz.h"

namespace {

using Input = std::vector<std::uint8_t>;

const Input* at_work = nullptr;  // a signal handler reaches nothing but globals
char crash_file[256] = "crash";

extern "C" void on_crash(int signal) {
  const int file = open(crash_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && at_work && write(file, at_work->data(), at_work->size()) >= 0) {
    constexpr char kLine[] = "\nfuzz: the input is in ./";
    if (write(STDERR_FILENO, kLine, sizeof kLine - 1) > 0 && write(STDERR_FILENO, crash_file, std::strlen(crash_file)) > 0) {
    }
  }
  ::signal(signal, SIG_DFL);
  raise(signal == SIGALRM ? SIGABRT : signal);
}

Input read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void run(const Input& input) {
  constexpr unsigned kPatience_s = 30;
  at_work = &input;
  alarm(kPatience_s);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  alarm(0);
}

/// A seed, changed in a few places.
class Mutator {
 public:
  Mutator(const std::vector<Input>& corpus, std::uint64_t seed) : corpus_(corpus), random_(seed) {}
  Input next() {
    Input input = any();
    for (std::uint32_t changes = 1 + random_.below(6); changes > 0; --changes) change(input);
    return input;
  }

 private:
  const Input& any() { return corpus_[random_.below(static_cast<std::uint32_t>(corpus_.size()))]; }
  std::size_t place(const Input& input) { return random_.below(static_cast<std::uint32_t>(input.size())); }
  void change(Input& input) {
    constexpr std::array<std::uint8_t, 16> kTelling{0, 1, 0x7f, 0x80, 0xff, '(', ')', '*', '/', '-', '.', 'e', '9', ' ', '\n', ':'};
    if (input.empty()) input.push_back(0);
    const std::size_t at = place(input), n = 1 + random_.below(static_cast<std::uint32_t>(std::min<std::size_t>(input.size() - at, 64)));
    const auto first = input.begin() + static_cast<std::ptrdiff_t>(at), last = first + static_cast<std::ptrdiff_t>(n);
    switch (random_.below(8)) {
      case 0:
        input[at] ^= static_cast<std::uint8_t>(1u << random_.below(8));
        return;
      case 1:
        input[at] = static_cast<std::uint8_t>(random_.next());
        return;
      case 2:
        input[at] = kTelling[random_.below(kTelling.size())];
        return;
      case 3:
        std::fill(first, last, kTelling[random_.below(5)]);
        return;
      case 4:
        input.erase(first, last);
        return;
      case 5: {  // a piece once more
        const Input piece(first, last);
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(place(input)), piece.begin(), piece.end());
        return;
      }
      case 6: {  // a piece of another
        const Input& other = any();
        if (other.empty()) return;
        const std::size_t from = place(other),
                          length = 1 + random_.below(static_cast<std::uint32_t>(std::min<std::size_t>(other.size() - from, 64)));
        const auto begin = other.begin() + static_cast<std::ptrdiff_t>(from);
        input.insert(first, begin, begin + static_cast<std::ptrdiff_t>(length));
        return;
      }
      case 7:
        input.resize(at);
        return;
    }
  }

  const std::vector<Input>& corpus_;
  actsearch::RandomStream random_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: %s CORPUS_DIRECTORY|FILE [SECONDS [SEED]]\n", argv[0]), 2;
  std::snprintf(crash_file, sizeof crash_file, "crash-%s", std::filesystem::path(argv[0]).filename().c_str());
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) ::signal(signal, on_crash);
  const std::filesystem::path given = argv[1];
  if (!std::filesystem::is_directory(given)) return run(read(given)), 0;

  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(given)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Input> corpus;
  for (const auto& file : files) corpus.push_back(read(file));
  if (corpus.empty()) return std::fprintf(stderr, "fuzz: %s is empty\n", given.c_str()), 2;
  for (const Input& input : corpus) run(input);

  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(argc > 2 ? std::atof(argv[2]) : 5.0);
  Mutator mutator(corpus, argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1);
  std::uint64_t inputs = corpus.size();
  for (; std::chrono::steady_clock::now() < end; ++inputs) {
    const Input input = mutator.next();
    run(input);
  }
  std::printf("fuzz: %llu inputs, and nothing wrong\n", static_cast<unsigned long long>(inputs));
  return 0;
}
