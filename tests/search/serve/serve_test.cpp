// The server as browsers, and those who are none, meet it.

#include "search/serve/serve.h"

#include <httplib.h>

#include <array>
#include <nlohmann/json.hpp>
#include <thread>

#include "search/serve/http.h"
#include "tests/search/process.h"
#include "tests/search/report/report_fixture.h"

namespace actsearch::testing {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

/// Waits for what comes about on another thread.
template <class Condition>
bool eventually(std::chrono::milliseconds patience, const Condition& condition) {
  for (const auto end = std::chrono::steady_clock::now() + patience; std::chrono::steady_clock::now() < end;
       std::this_thread::sleep_for(10ms)) {
    if (condition()) return true;
  }
  return condition();
}

/// A server of a database of fill_small, on a port of its own, until the test ends.
class Serve : public ::testing::Test {
 protected:
  Serve() {
    fill_small(file_);
    server_ = std::make_unique<LiveServer>(ServePlan{file_, "127.0.0.1", 0}, log_);
    running_ = std::thread([this] { server_->run(interrupt_); });
  }
  ~Serve() override {
    interrupt_ = true;
    running_.join();
  }
  httplib::Client client() const {
    httplib::Client client("127.0.0.1", server_->port());
    client.set_read_timeout(5s);
    return client;
  }
  int status(const httplib::Headers& headers, const std::string& path = "/") const {
    const auto answer = client().Get(path, headers);
    return answer ? answer->status : -1;
  }
  json data() const { return json::parse(client().Get("/data.json")->body); }

  TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_.path() / "a.db";
  std::ostringstream log_;
  std::atomic<bool> interrupt_{false};
  std::unique_ptr<LiveServer> server_;
  std::thread running_;
};

/// An open stream of events, on a thread of its own.
class Stream {
 public:
  explicit Stream(int port)
      : client_("127.0.0.1", port), reading_([this] {
          client_.set_read_timeout(30s);
          const auto answer = client_.Get("/events", [this](const char* text, std::size_t size) {
            const std::lock_guard lock(mutex_);
            received_.append(text, size);
            return !ended_;
          });
          status_ = answer ? answer->status : -1;
        }) {}
  ~Stream() {
    ended_ = true;
    client_.stop();
    reading_.join();
  }
  std::size_t events() const {
    const std::lock_guard lock(mutex_);
    std::size_t n = 0;
    for (std::size_t at = received_.find("event: news"); at != std::string::npos; at = received_.find("event: news", at + 1)) ++n;
    return n;
  }
  std::string received() const {
    const std::lock_guard lock(mutex_);
    return received_;
  }
  int status() const { return status_; }

 private:
  httplib::Client client_;
  mutable std::mutex mutex_;
  std::string received_;
  std::atomic<bool> ended_{false};
  std::atomic<int> status_{0};
  std::thread reading_;
};

TEST_F(Serve, ThePageComesWithAStrictPolicyAndWithoutTraces) {
  const auto page = client().Get("/");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->status, 200);
  EXPECT_NE(page->body.find("data-kind=\"live\""), std::string::npos);
  const std::string policy = page->get_header_value("Content-Security-Policy");
  for (const char* part : {"default-src 'none'", "script-src 'sha256-", "frame-ancestors 'none'", "connect-src 'self'"}) {
    EXPECT_NE(policy.find(part), std::string::npos) << policy;
  }
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(page->get_header_value("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page->get_header_value("Cross-Origin-Resource-Policy"), "same-origin");
  EXPECT_EQ(data()["recipes"][0]["counts"]["done"], 18);
}

TEST_F(Serve, AnswersOnlyWhatItOffers) {
  EXPECT_EQ(status({}, "/nothing"), 404);
  EXPECT_EQ(status({}, "/../../etc/passwd"), 404);
  EXPECT_EQ(status({}, "/data.json?recipe=1'%20OR%201=1--"), 200);  // what follows the path is not looked at
  EXPECT_EQ(status({}, std::string(10'000, '/')), 414);
  EXPECT_EQ(status({}, std::string(20'000, '/')), 431);
  EXPECT_EQ(status({{"Range", "bytes=0-1,0-1,0-1"}}), 416);
  auto http = client();
  EXPECT_EQ(http.Post("/", "text", "text/plain")->status, 405);
  EXPECT_EQ(http.Delete("/data.json")->status, 405);
  EXPECT_EQ(http.Head("/")->status, 200);
  EXPECT_EQ(http.Head("/")->body, "");
}

/// What a client sends by hand, and all that comes back; nothing where the server has not answered after so long.
std::string raw_answer(int port, const std::vector<std::string>& pieces, std::chrono::milliseconds between = 0ms) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    for (const std::string& piece : pieces) {
      if (send(socket, piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;
      std::this_thread::sleep_for(between);
    }
    std::array<char, 4096> some{};
    for (ssize_t n = 0; (n = recv(socket, some.data(), some.size(), 0)) > 0;) answer.append(some.data(), static_cast<std::size_t>(n));
  }
  close(socket);
  return answer;
}

TEST_F(Serve, HeadersAreBoundedInLengthNumberAndTime) {
  const std::string line = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  const auto answer = [&](const std::vector<std::string>& pieces) { return raw_answer(server_->port(), pieces).substr(0, 12); };
  EXPECT_EQ(answer({line, "\r\n"}), "HTTP/1.1 200");
  EXPECT_EQ(answer({line, "X: " + std::string(10'000, 'x') + "\r\n\r\n"}), "HTTP/1.1 200");
  // A header that never ends, and headers that never end: refused as soon as they are too long.
  EXPECT_EQ(answer({line, "X: " + std::string(20'000, 'x')}), "HTTP/1.1 431");
  std::string many = line;
  for (int i = 0; i < 20'000; ++i) many += "X: y\r\n";
  EXPECT_EQ(answer({many}), "HTTP/1.1 431");
  // One who sends a byte now and then keeps a thread for two seconds in all, not for two seconds a byte.
  const std::string slow = raw_answer(server_->port(), std::vector<std::string>(30, "G"), 100ms);
  EXPECT_EQ(slow, "") << "it is not answered";
}

TEST(HttpRequests, AreReadAsTheyAreMeantOrRefused) {
  const auto read = [](const std::string& text) { return read_request(text); };
  const auto status = [&](const std::string& text) {
    const auto result = read(text);
    const auto* refused = std::get_if<HttpRefusal>(&result);
    return refused ? refused->status : 200;
  };
  const auto request = std::get<HttpRequest>(
      read("GET /data.json?a=/b HTTP/1.1\r\nhOsT:  localhost:1 \r\nRange: bytes=0-1\r\nSec-Fetch-Site: same-origin\r\n\r\n"));
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.path, "/data.json");
  EXPECT_EQ(request.host, "localhost:1");
  EXPECT_EQ(request.range, "bytes=0-1");
  EXPECT_EQ(request.sec_fetch_site, "same-origin");
  EXPECT_EQ(status("GET / HTTP/1.0\r\n\r\n"), 200);
  for (const char* bad :
       {"", "\r\n\r\n", "GET /\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n", "G\x01T / HTTP/1.1\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n"}) {
    EXPECT_EQ(status(bad), 400) << bad;
  }
  EXPECT_EQ(status("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\n\r\n"), 414);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nX: y\r\n"), 400) << "it has no end";
  EXPECT_EQ(status("GET / HTTP/1.1\r\n\r\nmore"), 200);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nX: " + std::string(17'000, 'y') + "\r\n\r\n"), 431);
}

TEST_F(Serve, AnotherNameForThisMachineIsRefused) {
  const std::string port = std::to_string(server_->port());
  EXPECT_EQ(status({{"Host", "evil.example:" + port}}), 403);
  EXPECT_EQ(status({{"Host", "127.0.0.1.evil.example"}}), 403);
  EXPECT_EQ(status({{"Host", ""}}), 403);
  for (const char* name : {"localhost", "127.0.0.1", "[::1]"}) EXPECT_EQ(status({{"Host", name + (":" + port)}}), 200) << name;
  EXPECT_EQ(status({{"Sec-Fetch-Site", "cross-site"}}, "/data.json"), 403);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "same-origin"}}, "/data.json"), 200);
}

TEST_F(Serve, AFinishedTrialIsNewsWithinTwoSeconds) {
  const Stream stream(server_->port());
  ASSERT_TRUE(eventually(5s, [&] { return stream.events() == 1; })) << stream.received();
  finish_one_more(file_);
  EXPECT_TRUE(eventually(2s, [&] { return stream.events() == 2; })) << stream.received();
  EXPECT_EQ(data()["recipes"][0]["counts"]["done"], 19);
}

TEST_F(Serve, StreamsAreBounded) {
  std::vector<std::unique_ptr<Stream>> streams;
  for (int i = 0; i < 16; ++i) streams.push_back(std::make_unique<Stream>(server_->port()));
  for (const auto& stream : streams) ASSERT_TRUE(eventually(5s, [&] { return stream->events() == 1; }));
  EXPECT_EQ(client().Get("/events")->status, 503);
  EXPECT_EQ(status({}), 200);  // pages are still answered
  streams.clear();
  EXPECT_TRUE(eventually(10s, [&] {
    const Stream stream(server_->port());
    return eventually(300ms, [&] { return stream.events() == 1; });
  }));
}

TEST_F(Serve, RequestsAreBounded) {
  std::map<int, int> answers;
  for (int i = 0; i < 400; ++i) ++answers[status({}, "/nothing")];
  EXPECT_GE(answers[404], 100);
  EXPECT_GT(answers[429], 0);
  EXPECT_EQ(answers[404] + answers[429], 400);
}

TEST_F(Serve, AReplacedDatabaseIsServedAndALostOneReported) {
  const Stream stream(server_->port());
  ASSERT_TRUE(eventually(5s, [&] { return stream.events() == 1; }));
  const auto other = directory_.path() / "other.db";
  {
    ReportFixture fixture(other);
    fixture.study();
    fixture.finished(fixture.candidate("sin(x)"), fixture.recipe(), 0, 0.25);
  }
  std::filesystem::rename(other, file_);
  ASSERT_TRUE(eventually(5s, [&] { return data()["recipes"][0]["counts"]["done"] == 1; }));
  EXPECT_NE(log_.str().find("replaced"), std::string::npos);
  std::filesystem::remove(file_);
  ASSERT_TRUE(eventually(5s, [&] { return stream.received().find("cannot be read") != std::string::npos; })) << stream.received();
  EXPECT_EQ(stream.received().find(directory_.path().string()), std::string::npos);  // no path of this machine
  EXPECT_EQ(data()["recipes"][0]["counts"]["done"], 1);                              // the last state stays
  fill_small(file_);
  EXPECT_TRUE(eventually(5s, [&] { return data()["recipes"][0]["counts"]["done"] == 18; }));
}

TEST_F(Serve, APortInUseIsRefused) {
  std::ostringstream log;
  try {
    const LiveServer second({file_, "127.0.0.1", server_->port()}, log);
    FAIL() << "two servers on one port";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("it is in use; choose another with --port"), std::string::npos) << error.what();
  }
}

class ServeCommand : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  const std::string file_ = directory_.path() / "a.db";
};

TEST_F(ServeCommand, ServesUntilItIsInterruptedEvenWhileAPageIsOpen) {
  fill_small(file_);
  Process process(directory_.path(), {"serve", "--db", file_, "--port", "0"});
  const std::string before = "http://127.0.0.1:";
  ASSERT_TRUE(eventually(10s, [&] { return process.err().find("Ctrl-C") != std::string::npos; })) << process.err();
  const std::string said = process.err();
  const Stream stream(std::stoi(said.substr(said.find(before) + before.size())));
  ASSERT_TRUE(eventually(5s, [&] { return stream.events() == 1; }));
  process.kill(SIGINT);
  const Ran ran = process.wait();
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_EQ(ran.out, "");
}

TEST_F(ServeCommand, WritesNothing) {
  fill_small(file_);
  const std::string before = read_text(file_);
  {
    std::ostringstream log;
    LiveServer server({file_, "127.0.0.1", 0}, log);
    std::atomic<bool> interrupt{false};
    std::thread running([&] { server.run(interrupt); });
    EXPECT_EQ(httplib::Client("127.0.0.1", server.port()).Get("/")->status, 200);
    interrupt = true;
    running.join();
  }
  EXPECT_EQ(read_text(file_), before);
}

TEST_F(ServeCommand, RefusesWhatCannotBeServed) {
  const auto refuses = [&](const std::vector<std::string>& words, int code, const std::string& part) {
    const Ran ran = run_program(directory_.path(), words);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  };
  fill_small(file_);
  refuses({"serve"}, 2, "--db is required");
  refuses({"serve", "--db", directory_.path() / "none.db"}, 1, "no such file");
  refuses({"serve", "--db", file_, "--port", "70000"}, 2, "from 0 to 65535");
  refuses({"serve", "--db", file_, "--bind", "somewhere"}, 2, "--bind: an IP address");
  refuses({"serve", "--db", file_, "--bind", "203.0.113.1"}, 1, "cannot be had");
  std::ostringstream log;
  const LiveServer holds({file_, "127.0.0.1", 0}, log);
  refuses({"serve", "--db", file_, "--port", std::to_string(holds.port())}, 1, "it is in use; choose another with --port");
}

}  // namespace
}  // namespace actsearch::testing
