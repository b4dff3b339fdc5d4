#include "search/serve/serve.h"

// clang-format off
#include <utility>  // before awaitable.hpp, which forgets it in Boost 1.74
// clang-format on

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/span_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "search/report/page.h"
#include "search/report/watch.h"
#include "search/serve/http.h"

namespace actsearch {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using net::ip::tcp;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kThreads = 4;
constexpr int kMostConnections = 128, kMostStreams = 16;
constexpr double kBurst = 100, kPerSecond = 50;
constexpr auto kToAsk = 2s, kToTake = 30s;  // that a client has for its request, and for an answer
constexpr auto kLook = 100ms;               // how soon an end is noticed, and news for a stream
constexpr auto kToGo = 500ms;               // that a client has to close its side
constexpr std::size_t kMostDropped = 1 << 20;

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

/// One more of something, until it goes.
class Counted {
 public:
  explicit Counted(std::atomic<int>& count) : count_(count), place_(++count) {}
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  /// Itself included, when it came.
  int place() const { return place_; }

 private:
  std::atomic<int>& count_;
  int place_;
};

struct Answer {
  int status = 200;
  std::string type;
  std::shared_ptr<const std::string> body;  ///< a text that all answers may share; null: a stream of events
};

Answer refusal(int status, const std::string& why) { return {status, "text/plain", std::make_shared<const std::string>(why + "\n")}; }

/// The answer with its headers. Its body is the answer's, which outlives it.
using Response = http::response<http::span_body<const char>>;
Response response_of(const Answer& answer) {
  Response response(static_cast<http::status>(answer.status), 11);
  response.keep_alive(false);
  response.set(http::field::content_type, answer.type);
  response.set("Content-Security-Policy", content_security_policy(PageKind::kLive) + "; frame-ancestors 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  response.set(http::field::cache_control, "no-store");
  if (answer.body) {
    response.body() = {answer.body->data(), answer.body->size()};
    response.content_length(answer.body->size());
  }
  return response;
}

/// Whether the client has gone.
bool gone(tcp::socket& socket) {
  char byte = 0;
  error_code error;
  socket.non_blocking(true, error);
  socket.receive(net::buffer(&byte, 1), tcp::socket::message_peek, error);
  return error && error != net::error::would_block;
}

/// What was not asked for is read and dropped, or the client might never see the answer.
net::awaitable<void> end(beast::tcp_stream& stream) {
  error_code error;
  stream.socket().shutdown(tcp::socket::shutdown_send, error);
  std::array<char, 4096> dropped{};
  stream.expires_after(kToGo);
  for (std::size_t n = 0; n < kMostDropped && !error;) {
    n += co_await stream.async_read_some(net::buffer(dropped), net::redirect_error(net::use_awaitable, error));
  }
}

}  // namespace

bool is_loopback(const std::string& address) { return address == "localhost" || address == "::1" || address.starts_with("127."); }

struct LiveServer::Impl {
  Impl(const ServePlan& server_plan, std::ostream& log) : plan(server_plan), watch(plan.database, log) {}

  net::awaitable<void> accept_all();
  net::awaitable<void> serve(tcp::socket socket);
  Answer answer(const std::variant<HttpRequest, HttpRefusal>& received);
  Answer answer_to(const HttpRequest& request);
  net::awaitable<void> stream_news(beast::tcp_stream& stream);

  ServePlan plan;
  Watch watch;
  Rate rate;
  std::atomic<int> connections{0}, streams{0};
  net::io_context context{kThreads};  // after what its work uses
  tcp::acceptor acceptor{context};
};

Answer LiveServer::Impl::answer_to(const HttpRequest& request) {
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

Answer LiveServer::Impl::answer(const std::variant<HttpRequest, HttpRefusal>& received) {
  if (!rate.allows_one()) return refusal(429, "too many requests");
  if (const auto* const refused = std::get_if<HttpRefusal>(&received)) return refusal(refused->status, refused->why);
  try {
    return answer_to(std::get<HttpRequest>(received));
  } catch (const std::exception&) {
    return refusal(500, "an error of the server");
  }
}

net::awaitable<void> LiveServer::Impl::serve(tcp::socket socket) {
  const Counted connection(connections);
  if (connection.place() > kMostConnections) co_return;
  beast::tcp_stream stream(std::move(socket));
  error_code error;
  beast::flat_buffer buffer(kMostRequestBytes);
  HttpParser parser;
  bound(parser);
  stream.expires_after(kToAsk);
  co_await http::async_read_header(stream, buffer, parser, net::redirect_error(net::use_awaitable, error));
  if (error == beast::error::timeout || error == http::error::end_of_stream) co_return;
  if (error == http::error::buffer_overflow) error = http::error::header_limit;
  const auto received = understood(parser, error);
  error = {};

  Answer answered = answer(received);
  const auto* const request = std::get_if<HttpRequest>(&received);
  const bool head_only = request && request->method == "HEAD";
  std::optional<Counted> open;
  if (!answered.body && !head_only && open.emplace(streams).place() > kMostStreams) {
    open.reset();
    answered = refusal(503, "too many pages are open");
  }
  Response response = response_of(answered);
  http::response_serializer<Response::body_type> serializer(response);
  stream.expires_after(kToTake);
  if (!answered.body || head_only) {
    co_await http::async_write_header(stream, serializer, net::redirect_error(net::use_awaitable, error));
  } else {
    co_await http::async_write(stream, serializer, net::redirect_error(net::use_awaitable, error));
  }
  if (!error && open) co_await stream_news(stream);
  if (!error) co_await end(stream);
}

net::awaitable<void> LiveServer::Impl::stream_news(beast::tcp_stream& stream) {
  constexpr auto kSilence = 10s;  // so that a connection that has gone is noticed
  net::steady_timer timer(stream.get_executor());
  std::optional<std::uint64_t> version;
  auto spoken = Clock::now();
  for (error_code error; !error && !gone(stream.socket());) {
    const Snapshot news = watch.snapshot();
    std::string text;
    if (!version || news.version > *version) {
      const nlohmann::json data{{"version", news.version}, {"problem", news.problem}};
      text = "event: news\ndata: " + data.dump(-1, ' ', true) + "\n\n";
      version = news.version;
    } else if (Clock::now() - spoken >= kSilence) {
      text = ":\n\n";
    }
    if (!text.empty()) {
      spoken = Clock::now();
      stream.expires_after(kToTake);
      co_await net::async_write(stream, net::buffer(text), net::redirect_error(net::use_awaitable, error));
    }
    timer.expires_after(kLook);
    co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
  }
}

net::awaitable<void> LiveServer::Impl::accept_all() {
  for (;;) {
    error_code error;
    tcp::socket socket(net::make_strand(context));
    co_await acceptor.async_accept(socket, net::redirect_error(net::use_awaitable, error));
    if (error) {  // too many open files, say
      net::steady_timer timer(context, kLook);
      co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
      continue;
    }
    const auto executor = socket.get_executor();
    net::co_spawn(executor, serve(std::move(socket)), net::detached);
  }
}

LiveServer::LiveServer(const ServePlan& plan, std::ostream& log) : impl_(std::make_unique<Impl>(plan, log)) {
  error_code error;
  const auto found = tcp::resolver(impl_->context)
                         .resolve(plan.address, std::to_string(plan.port), tcp::resolver::passive | tcp::resolver::numeric_service, error);
  for (const auto& entry : found) {
    tcp::acceptor& acceptor = impl_->acceptor;
    acceptor.close(error);
    acceptor.open(entry.endpoint().protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(entry.endpoint(), error);
    if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
    if (!error) break;
  }
  if (error) {
    throw std::runtime_error("port " + std::to_string(plan.port) + " of " + plan.address + " cannot be had" +
                             (error == net::error::address_in_use ? ": it is in use" : ": " + error.message()) +
                             "; choose another with --port (0: any that is free)");
  }
}
LiveServer::~LiveServer() = default;

int LiveServer::port() const { return impl_->acceptor.local_endpoint().port(); }

std::string LiveServer::url() const {
  const std::string& address = impl_->plan.address;
  return "http://" + (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + std::to_string(port()) + "/";
}

void LiveServer::run(const std::atomic<bool>& interrupt) {
  net::co_spawn(impl_->context, impl_->accept_all(), net::detached);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([this] { impl_->context.run(); });
  while (!interrupt) std::this_thread::sleep_for(kLook);
  impl_->context.stop();
}

}  // namespace actsearch
