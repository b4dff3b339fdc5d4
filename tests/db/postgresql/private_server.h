/// A PostgreSQL server for tests: on a socket in a temporary directory, without TCP, and gone with this object.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

namespace actsearch::testing {

class PrivateServer {
 public:
  /// Why there can be no server here; absent where there can.
  static std::optional<std::string> unavailable();
  /// The one that a test program shares: started with its first use, and ended with the program.
  static PrivateServer& shared();

  /// Makes a cluster and starts it. Where the tests run as root, the server runs as the user postgres, or as nobody.
  PrivateServer();
  ~PrivateServer();
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;

  /// A new and empty database; its address, as --db takes it.
  std::string new_database();
  /// The address of any database, for the server's first role or for another.
  std::string address(const std::string& database, const std::string& role = "actsearch") const;
  /// Statements on a database, as a superuser. DatabaseError where one fails.
  void execute(const std::string& database, const std::string& script) const;

  /// Ends every session, as an administrator does who wants no waiting.
  void stop();
  void start();  ///< Returns when the server answers.

  const std::filesystem::path& directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
  pid_t process_ = 0;
  int databases_ = 0;
};

}  // namespace actsearch::testing
