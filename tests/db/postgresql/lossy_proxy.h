/// A way to a PostgreSQL server's socket that loses the connection while a transaction commits.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace actsearch::testing {

class LossyProxy {
 public:
  enum class Lose : std::uint8_t { kNothing, kRequest, kAnswer };  ///< kRequest: the COMMIT never arrives; kAnswer: it does

  /// Listens in `directory`, as a server's socket there would; passes everything on to the socket in `server`.
  LossyProxy(const std::filesystem::path& directory, const std::filesystem::path& server);
  ~LossyProxy();
  LossyProxy(const LossyProxy&) = delete;
  LossyProxy& operator=(const LossyProxy&) = delete;

  void lose(Lose what) { lose_ = what; }  ///< at the next COMMIT, once
  int lost() const { return lost_; }      ///< connections, so far

 private:
  void pass_on(int client);

  std::filesystem::path server_;
  int listener_ = -1;
  std::atomic<Lose> lose_ = Lose::kNothing;
  std::atomic<int> lost_ = 0;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace actsearch::testing
