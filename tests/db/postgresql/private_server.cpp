#include "tests/db/postgresql/private_server.h"

#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "db/postgresql/connection.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;
using postgresql::Connection;

/// Where the newest initdb is, as Debian installs it; empty without one.
std::filesystem::path programs() {
  std::vector<std::pair<int, std::filesystem::path>> found;
  std::error_code ignored;  // no such directory: none is installed
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const auto folder = version.path() / "bin";
    if (std::filesystem::exists(folder / "initdb") && std::filesystem::exists(folder / "postgres")) {
      found.emplace_back(std::atoi(version.path().filename().c_str()), folder);
    }
  }
  return found.empty() ? std::filesystem::path() : std::max_element(found.begin(), found.end())->second;
}

/// The user that a server runs as where the tests run as root, which PostgreSQL refuses; null where they do not.
const passwd* server_user() {
  if (geteuid() != 0) return nullptr;
  const passwd* const own = getpwnam("postgres");
  return own ? own : getpwnam("nobody");
}

/// The command line as the server's user. The process ends with this one, even where that is killed.
std::vector<std::string> as_server_user(std::vector<std::string> command) {
  std::vector<std::string> words{"setpriv", "--pdeathsig", "QUIT"};
  if (const passwd* const user = server_user()) {
    words.insert(words.end(), {"--reuid=" + std::to_string(user->pw_uid), "--regid=" + std::to_string(user->pw_gid), "--clear-groups"});
  }
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

pid_t begin(std::vector<std::string> words, const std::filesystem::path& directory, const std::filesystem::path& log) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child > 0) return child;
  if (chdir(directory.c_str()) != 0 || !freopen(log.c_str(), "a", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0) _exit(98);
  execvp(arguments[0], arguments.data());
  _exit(97);
}

}  // namespace

std::optional<std::string> PrivateServer::unavailable() {
  if (programs().empty()) return "no PostgreSQL server is installed (scripts/setup.sh --with-postgresql installs one)";
  return std::nullopt;
}

PrivateServer& PrivateServer::shared() {
  static PrivateServer server;
  return server;
}

PrivateServer::PrivateServer() {
  std::string name = (std::filesystem::temp_directory_path() / "actsearch-pg-XXXXXX").string();
  if (!mkdtemp(name.data())) throw std::runtime_error("no temporary directory");
  directory_ = name;
  if (const passwd* const user = server_user(); user && chown(name.c_str(), user->pw_uid, user->pw_gid) != 0) {
    throw std::runtime_error("the server's directory cannot be given to its user");
  }
  const pid_t made = begin(as_server_user({programs() / "initdb", "--pgdata=" + (directory_ / "data").string(), "--auth=trust",
                                           "--username=actsearch", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"}),
                           directory_, directory_ / "initdb.log");
  int status = 0;
  if (waitpid(made, &status, 0) != made || status != 0)
    throw std::runtime_error("initdb failed; see " + (directory_ / "initdb.log").string());
  // One role has a password; the socket's directory lets nobody else in.
  std::ofstream(directory_ / "data" / "pg_hba.conf") << "local all locked scram-sha-256\nlocal all all trust\n";
  start();
}

PrivateServer::~PrivateServer() {
  if (process_ > 0) stop();
  std::error_code ignored;  // nothing is left to do about it
  std::filesystem::remove_all(directory_, ignored);
}

void PrivateServer::start() {
  process_ = begin(as_server_user({programs() / "postgres", "-D", (directory_ / "data").string(), "-c", "listen_addresses=", "-c",
                                   "unix_socket_directories=" + directory_.string(), "-c", "fsync=off", "-c", "max_connections=50", "-c",
                                   "shared_buffers=16MB"}),
                   directory_, directory_ / "server.log");
  for (int tries = 0;; ++tries) {
    try {
      Connection(address("postgres"), Connection::Mode::kReadOnly, 1s);
      return;
    } catch (const DatabaseError&) {
      if (tries == 600 || waitpid(process_, nullptr, WNOHANG) != 0) throw;
    }
    std::this_thread::sleep_for(50ms);
  }
}

void PrivateServer::stop() {
  kill(process_, SIGINT);  // a fast shutdown
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

std::string PrivateServer::address(const std::string& database, const std::string& role) const {
  return "postgresql://" + role + "@/" + database + "?host=" + directory_.string();
}

void PrivateServer::execute(const std::string& database, const std::string& script) const {
  Connection(address(database), Connection::Mode::kWrite, 20s).execute(script);
}

std::string PrivateServer::new_database() {
  const std::string name = "search_" + std::to_string(++databases_);
  execute("postgres", "CREATE DATABASE " + name);
  return address(name);
}

}  // namespace actsearch::testing
