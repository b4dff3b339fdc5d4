#include "search/serve.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "search/heartbeat.h"
#include "search/http.h"
#include "search/report/page.h"
#include "search/report/watch.h"

namespace actsearch {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kMostStreams = 16;
constexpr int kThreads = kMostStreams + 8;  // a stream keeps a thread; the others answer
constexpr std::size_t kMostWaiting = 64;    // connections for which no thread is free
constexpr double kBurst = 100, kPerSecond = 50;
constexpr auto kToAsk = 2s, kToTake = 5s;  // that a client has for its request, and for each piece of an answer
constexpr auto kLook = 100ms;              // how soon an end is noticed

/// Lets through so many requests at once, and so many a second.
class Rate {
 public:
  bool allows_one() {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    allowance_ = std::min(kBurst, allowance_ + kPerSecond * std::chrono::duration<double>(now - last_).count());
    last_ = now;
    if (allowance_ < 1) return false;
    allowance_ -= 1;
    return true;
  }

 private:
  std::mutex mutex_;
  Clock::time_point last_ = Clock::now();
  double allowance_ = kBurst;
};

/// The name in a Host header, without the port.
std::string host_name(const std::string& header) {
  if (header.starts_with('[')) return header.substr(0, header.find(']') + 1);
  return header.substr(0, header.find(':'));
}

/// A socket, closed with its owner.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

/// Whether the socket is ready for `events` before the time is up.
bool ready(const Socket& socket, short events, std::chrono::milliseconds wait) {
  pollfd waited{socket.get(), events, 0};
  return poll(&waited, 1, static_cast<int>(wait.count())) > 0;
}

/// One client. Each call gives up at its deadline, or when the server ends.
class Connection {
 public:
  Connection(Socket socket, const std::atomic<bool>& ending) : socket_(std::move(socket)), ending_(ending) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  /// What was not asked for is read and dropped, or the client might never see the answer.
  ~Connection() {
    shutdown(socket_.get(), SHUT_WR);
    const auto deadline = Clock::now() + 500ms;
    std::array<char, 4096> dropped{};
    for (std::size_t n = 0; n < (1u << 20) && Clock::now() < deadline && !ending_;) {
      if (!ready(socket_, POLLIN, 50ms)) continue;
      const ssize_t some = recv(socket_.get(), dropped.data(), dropped.size(), MSG_DONTWAIT);
      if (some == 0 || (some < 0 && errno != EAGAIN && errno != EINTR)) return;
      n += static_cast<std::size_t>(std::max<ssize_t>(some, 0));
    }
  }

  /// The request's line and headers; nothing where the client sends none in time.
  std::optional<std::variant<HttpRequest, HttpRefusal>> request() {
    const auto deadline = Clock::now() + kToAsk;
    std::string received;
    std::array<char, 4096> some{};
    for (;;) {
      if (const auto end = end_of_headers(received)) return read_request(std::string_view(received).substr(0, *end));
      if (received.size() >= kMostRequestBytes) return refuse_long(received);
      if (!wait(POLLIN, deadline)) break;
      const std::size_t room = std::min(some.size(), kMostRequestBytes - received.size());
      const ssize_t n = recv(socket_.get(), some.data(), room, MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
      if (n > 0) received.append(some.data(), static_cast<std::size_t>(n));
    }
    if (received.empty() || ending_) return std::nullopt;
    return HttpRefusal{408, "the request took too long"};
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!wait(POLLOUT, Clock::now() + kToTake)) return false;
      const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
      bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    }
    return true;
  }

  /// Whether the client has gone, or says what it has no reason to say.
  bool gone() const {
    char byte = 0;
    return ready(socket_, POLLIN, 0ms) && recv(socket_.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) <= 0 && errno != EAGAIN;
  }

 private:
  bool wait(short events, Clock::time_point deadline) const {
    while (!ending_ && Clock::now() < deadline) {
      if (ready(socket_, events, kLook)) return true;
    }
    return false;
  }

  Socket socket_;
  const std::atomic<bool>& ending_;
};

struct Answer {
  int status = 200;
  std::string type;
  std::shared_ptr<const std::string> body;  ///< a text that all answers may share; null: a stream of events
};

Answer refusal(int status, const std::string& why) { return {status, "text/plain", std::make_shared<const std::string>(why + "\n")}; }

/// A socket that listens at the address, with an error number where there is none.
std::pair<Socket, int> listen_at(const std::string& address, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {Socket(), EADDRNOTAVAIL};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* one = found; one; one = one->ai_next) {
    Socket socket(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol));
    const int yes = 1;
    if (socket && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(socket.get(), one->ai_addr, one->ai_addrlen) == 0 && listen(socket.get(), SOMAXCONN) == 0) {
      return {std::move(socket), 0};
    }
    error = errno;
  }
  return {Socket(), error};
}

int port_of(const Socket& socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  std::array<char, 16> text{};
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&bound), size, nullptr, 0, text.data(), text.size(), NI_NUMERICSERV) != 0) {
    return 0;
  }
  return std::atoi(text.data());
}

}  // namespace

bool is_loopback(const std::string& address) { return address == "localhost" || address == "::1" || address.starts_with("127."); }

struct LiveServer::Impl {
  Impl(const ServePlan& server_plan, std::ostream& log) : plan(server_plan), watch(plan.database, log) {}

  void serve(Connection& connection);
  Answer answer(const HttpRequest& request);
  void stream(Connection& connection);
  void work();
  void accept_until(const std::atomic<bool>& interrupt);

  ServePlan plan;
  Watch watch;
  Rate rate;
  std::atomic<int> streams{0};
  std::atomic<bool> ending{false};
  Socket listening;
  int port = 0;

  std::mutex mutex;  ///< around `waiting`
  std::condition_variable arrived;
  std::deque<Socket> waiting;
};

Answer LiveServer::Impl::answer(const HttpRequest& request) {
  if (!rate.allows_one()) return refusal(429, "too many requests");
  if (request.method != "GET" && request.method != "HEAD") return refusal(405, "only GET and HEAD are answered");
  const std::string host = host_name(request.host);
  if (is_loopback(plan.address) && host != "localhost" && host != "127.0.0.1" && host != "[::1]" && host != plan.address) {
    return refusal(403, "this address is for this machine: use localhost");
  }
  if (!request.range.empty()) return refusal(416, "only whole answers are given");
  if (request.path == "/") return {200, "text/html; charset=utf-8", watch.snapshot().page};
  if (request.sec_fetch_site == "cross-site") return refusal(403, "for pages of this server");
  if (request.path == "/data.json") return {200, "application/json; charset=utf-8", watch.snapshot().json};
  if (request.path == "/events") return {200, "text/event-stream", nullptr};
  return refusal(404, "there is nothing here; the page is at /");
}

void LiveServer::Impl::serve(Connection& connection) {
  const auto received = connection.request();
  if (!received) return;
  const auto* const request = std::get_if<HttpRequest>(&*received);
  Answer answered;
  if (const auto* const refused = std::get_if<HttpRefusal>(&*received)) {
    answered = refusal(refused->status, refused->why);
  } else {
    try {
      answered = answer(*request);
    } catch (const std::exception&) {
      answered = refusal(500, "an error of the server");
    }
  }
  const bool head_only = request && request->method == "HEAD";
  const bool streams_events = !answered.body && !head_only;
  if (streams_events && ++streams > kMostStreams) {
    --streams;
    answered = refusal(503, "too many pages are open");
  }
  const auto length = answered.body ? std::optional(answered.body->size()) : std::nullopt;
  const bool sent =
      connection.send(write_head(answered.status, answered.type, length,
                                 {{"Content-Security-Policy", content_security_policy(PageKind::kLive) + "; frame-ancestors 'none'"},
                                  {"X-Content-Type-Options", "nosniff"},
                                  {"Referrer-Policy", "no-referrer"},
                                  {"Cross-Origin-Resource-Policy", "same-origin"},
                                  {"Cache-Control", "no-store"}}));
  if (sent && answered.body && !head_only) connection.send(*answered.body);
  if (streams_events && !answered.body) {
    if (sent) stream(connection);
    --streams;
  }
}

void LiveServer::Impl::stream(Connection& connection) {
  bool begun = false;
  std::uint64_t version = 0;
  for (int silent_s = 0; !ending;) {
    const Snapshot news = watch.wait_for_news(begun ? version : 0, 1s);
    if (ending || connection.gone()) return;
    std::string text;
    if (!begun || news.version > version) {
      const nlohmann::json data{{"version", news.version}, {"problem", news.problem}};
      text = "event: news\ndata: " + data.dump(-1, ' ', true) + "\n\n";
      begun = true;
      version = news.version;
      silent_s = 0;
    } else if (++silent_s >= 10) {
      text = ":\n\n";  // so that a connection that has gone is noticed
      silent_s = 0;
    }
    if (!connection.send(text)) return;
  }
}

/// Of one thread: a connection at a time.
void LiveServer::Impl::work() {
  while (!ending) {
    Socket socket;
    {
      std::unique_lock lock(mutex);
      arrived.wait_for(lock, kLook, [&] { return !waiting.empty() || ending.load(); });
      if (waiting.empty()) continue;
      socket = std::move(waiting.front());
      waiting.pop_front();
    }
    Connection connection(std::move(socket), ending);
    serve(connection);
  }
}

void LiveServer::Impl::accept_until(const std::atomic<bool>& interrupt) {
  while (!interrupt) {
    if (!ready(listening, POLLIN, kLook)) continue;
    Socket socket(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket) {
      std::this_thread::sleep_for(10ms);  // too many open files, say
      continue;
    }
    const std::lock_guard lock(mutex);
    if (waiting.size() >= kMostWaiting) continue;  // which closes it
    waiting.push_back(std::move(socket));
    arrived.notify_one();
  }
}

LiveServer::LiveServer(const ServePlan& plan, std::ostream& log) : impl_(std::make_unique<Impl>(plan, log)) {
  auto [socket, code] = listen_at(plan.address, plan.port);
  if (!socket) {
    throw std::runtime_error("port " + std::to_string(plan.port) + " of " + plan.address + " cannot be had" +
                             (code == EADDRINUSE ? ": it is in use" : std::string(": ") + std::strerror(code)) +
                             "; choose another with --port (0: any that is free)");
  }
  impl_->listening = std::move(socket);
  impl_->port = port_of(impl_->listening);
}
LiveServer::~LiveServer() = default;

int LiveServer::port() const { return impl_->port; }

std::string LiveServer::url() const {
  const std::string& address = impl_->plan.address;
  return "http://" + (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + std::to_string(port()) + "/";
}

void LiveServer::run(const std::atomic<bool>& interrupt) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([this] { impl_->work(); });
  impl_->accept_until(interrupt);
  impl_->ending = true;
  impl_->watch.close();
  impl_->arrived.notify_all();
}

}  // namespace actsearch
