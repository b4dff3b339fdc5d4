#include "tests/db/postgresql/lossy_proxy.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace actsearch::testing {
namespace {

constexpr int kWait = 20;  // milliseconds, after which a thread looks whether it is to end

sockaddr_un socket_in(const std::filesystem::path& directory) {
  const std::string path = (directory / ".s.PGSQL.5432").string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the path of a socket is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

/// Passes on what has come; false where the other side has ended.
bool passed(int from, int to, std::string* seen) {
  std::array<char, 65536> bytes;
  const ssize_t size = read(from, bytes.data(), bytes.size());
  if (size <= 0) return false;
  *seen = std::string(bytes.data(), static_cast<std::size_t>(size));
  return to < 0 || send(to, bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
}

}  // namespace

LossyProxy::LossyProxy(const std::filesystem::path& directory, const std::filesystem::path& server) : server_(server) {
  const sockaddr_un address = socket_in(directory);
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener_ < 0 || bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 8) != 0) {
    throw std::runtime_error("no socket in " + directory.string());
  }
  // One connection at a time, as a store has.
  thread_ = std::thread([this] {
    while (!ended_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (poll(&waiting, 1, kWait) <= 0) continue;
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) continue;
      pass_on(client);
      close(client);
    }
  });
}

LossyProxy::~LossyProxy() {
  ended_ = true;
  thread_.join();
  close(listener_);
}

void LossyProxy::pass_on(int client) {
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = socket_in(server_);
  bool open = connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  while (open && !ended_) {
    std::array<pollfd, 2> sides{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    if (poll(sides.data(), sides.size(), kWait) <= 0) continue;
    std::string seen;
    if (sides[1].revents) open = passed(server, client, &seen);
    if (!open || !sides[0].revents) continue;
    const Lose lose = lose_;
    open = passed(client, lose == Lose::kRequest ? -1 : server, &seen);
    const bool commits = seen.find("COMMIT") != std::string::npos;
    if (lose == Lose::kNothing || (lose == Lose::kAnswer && !commits)) continue;
    if (!commits) {  // it was held back in vain
      open = send(server, seen.data(), seen.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(seen.size());
      continue;
    }
    if (lose == Lose::kAnswer) open = passed(server, -1, &seen);  // the server has committed
    lose_ = Lose::kNothing;
    ++lost_;
    break;
  }
  close(server);
}

}  // namespace actsearch::testing
