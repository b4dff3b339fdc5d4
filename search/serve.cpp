#include "search/serve.h"

#include <httplib.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <utility>

#include "search/heartbeat.h"
#include "search/report/page.h"
#include "search/report/watch.h"

namespace actsearch {
namespace {

using namespace std::chrono_literals;
using httplib::Request;
using httplib::Response;

constexpr int kMostStreams = 16;
constexpr int kThreads = kMostStreams + 8;  // a stream keeps a thread; the others answer
constexpr double kBurst = 100, kPerSecond = 50;

/// Lets through so many requests at once, and so many a second.
class Rate {
 public:
  bool allows_one() {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    allowance_ = std::min(kBurst, allowance_ + kPerSecond * std::chrono::duration<double>(now - last_).count());
    last_ = now;
    if (allowance_ < 1) return false;
    allowance_ -= 1;
    return true;
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  double allowance_ = kBurst;
};

/// The name in a Host header, without the port.
std::string host_name(const std::string& header) {
  if (header.starts_with('[')) return header.substr(0, header.find(']') + 1);
  return header.substr(0, header.find(':'));
}

void refuse(Response& response, int status, const char* why) {
  response.status = status;
  response.set_content(std::string(why) + "\n", "text/plain");
}

/// A text that all answers share. Its type keeps the library from compressing it, which would cost more than it saves on one machine.
void answer(Response& response, const std::shared_ptr<const std::string>& text, const char* type) {
  response.status = 200;
  response.set_content_provider(text->size(), type, [text](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
    return sink.write(text->data() + offset, length);
  });
}

}  // namespace

bool is_loopback(const std::string& address) { return address == "localhost" || address == "::1" || address.starts_with("127."); }

struct LiveServer::Impl {
  Impl(const ServePlan& server_plan, std::ostream& log) : plan(server_plan), watch(plan.database, log) {}

  void respond(const Request& request, Response& response);
  void stream(Response& response);

  ServePlan plan;
  Watch watch;
  Rate rate;
  std::atomic<int> streams{0};
  std::atomic<bool> ending{false};
  httplib::Server server;
  int port = 0;
};

void LiveServer::Impl::respond(const Request& request, Response& response) {
  response.set_header("Content-Security-Policy", content_security_policy(PageKind::kLive) + "; frame-ancestors 'none'");
  response.set_header("X-Content-Type-Options", "nosniff");
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("Cross-Origin-Resource-Policy", "same-origin");
  response.set_header("Cache-Control", "no-store");
  if (!rate.allows_one()) return refuse(response, 429, "too many requests");
  if (request.method != "GET" && request.method != "HEAD") return refuse(response, 405, "only GET and HEAD are answered");
  const std::string host = host_name(request.get_header_value("Host"));
  if (is_loopback(plan.address) && host != "localhost" && host != "127.0.0.1" && host != "[::1]" && host != plan.address) {
    return refuse(response, 403, "this address is for this machine: use localhost");
  }
  if (request.has_header("Range")) {
    response.status = 416;
    return;
  }
  if (request.path == "/") return answer(response, watch.snapshot().page, "text/html; charset=utf-8");
  if (request.get_header_value("Sec-Fetch-Site") == "cross-site") return refuse(response, 403, "for pages of this server");
  if (request.path == "/data.json") return answer(response, watch.snapshot().json, "application/json; charset=utf-8");
  if (request.path == "/events") return stream(response);
  refuse(response, 404, "there is nothing here; the page is at /");
}

void LiveServer::Impl::stream(Response& response) {
  if (++streams > kMostStreams) {
    --streams;
    return refuse(response, 503, "too many pages are open");
  }
  struct Place {  // in the stream
    bool begun = false;
    std::uint64_t version = 0;
    int silent_s = 0;
  };
  const auto next = [this, place = std::make_shared<Place>()](std::size_t, httplib::DataSink& sink) {
    const Snapshot news = watch.wait_for_news(place->begun ? place->version : 0, 1s);
    if (ending || !sink.is_writable()) return false;
    std::string text;
    if (!place->begun || news.version > place->version) {
      const nlohmann::json data{{"version", news.version}, {"problem", news.problem}};
      text = "event: news\ndata: " + data.dump(-1, ' ', true) + "\n\n";
      *place = {true, news.version, 0};
    } else if (++place->silent_s >= 10) {
      text = ":\n\n";  // so that a connection that has gone is noticed
      place->silent_s = 0;
    }
    return text.empty() || sink.write(text.data(), text.size());
  };
  response.status = 200;
  response.set_chunked_content_provider("text/event-stream", next, [this](bool) { --streams; });
}

LiveServer::LiveServer(const ServePlan& plan, std::ostream& log) : impl_(std::make_unique<Impl>(plan, log)) {
  httplib::Server& server = impl_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };  // the library's own interface: it deletes the queue
  server.set_socket_options([](socket_t socket) {  // not SO_REUSEPORT, the library's own choice, which shares a port that is in use
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.set_keep_alive_max_count(1);  // an open connection keeps a thread
  server.set_read_timeout(2s);
  server.set_write_timeout(5s);
  server.set_payload_max_length(1);
  server.set_exception_handler(
      [](const Request&, Response& response, std::exception_ptr) { refuse(response, 500, "an error of the server"); });
  server.set_pre_routing_handler([this](const Request& request, Response& response) {
    impl_->respond(request, response);
    return httplib::Server::HandlerResponse::Handled;
  });
  errno = 0;
  impl_->port = plan.port == 0 ? server.bind_to_any_port(plan.address) : (server.bind_to_port(plan.address, plan.port) ? plan.port : -1);
  if (impl_->port <= 0) {
    const int code = errno;
    throw std::runtime_error("port " + std::to_string(plan.port) + " of " + plan.address + " cannot be had" +
                             (code == EADDRINUSE ? ": it is in use"
                              : code != 0        ? std::string(": ") + std::strerror(code)
                                                 : "") +
                             "; choose another with --port (0: any that is free)");
  }
}
LiveServer::~LiveServer() = default;

int LiveServer::port() const { return impl_->port; }

std::string LiveServer::url() const {
  const std::string& address = impl_->plan.address;
  return "http://" + (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + std::to_string(port()) + "/";
}

void LiveServer::run(const std::atomic<bool>& interrupt) {
  const Heartbeat ender(100ms, [&] {
    if (!interrupt) return;
    impl_->ending = true;
    impl_->watch.close();
    impl_->server.stop();
  });
  impl_->server.listen_after_bind();
}

}  // namespace actsearch
