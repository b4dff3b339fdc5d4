/// A database served as a page, live: read-only, to browsers of this machine unless asked otherwise.
#pragma once

#include <atomic>
#include <filesystem>
#include <iosfwd>
#include <memory>
#include <string>

namespace actsearch {

struct ServePlan {
  std::filesystem::path database;
  std::string address = "127.0.0.1";  ///< an IP address, or localhost
  int port = 8080;                    ///< 0: any that is free
};

/// Answers GET and HEAD of three addresses: / (the page), /data.json (its document) and /events (a stream of server-sent events: `news`
/// at the start and within a second of every change of the database). It looks at a request's path, its method and three headers: Host,
/// Range and Sec-Fetch-Site. So nothing of a request can reach SQL or HTML.
///
/// Bounds: 100 requests at once and 50 a second, 128 connections, 16 streams, two seconds and 16 KiB for a request's line and headers
/// (search/serve/http.h), no body. On a loopback address it answers only to this machine's names, so a foreign page cannot reach it by
/// pointing a name of its own here.
class LiveServer {
 public:
  /// Reads the database and takes the port. DatabaseError where it cannot be read, std::runtime_error where the port cannot be had. If the
  /// database is later replaced, changed or removed, `log` says so. If it can no longer be read, the page says so too and keeps its last
  /// state.
  LiveServer(const ServePlan& plan, std::ostream& log);
  ~LiveServer();
  LiveServer(const LiveServer&) = delete;
  LiveServer& operator=(const LiveServer&) = delete;

  int port() const;
  std::string url() const;
  /// Serves until the flag is set.
  void run(const std::atomic<bool>& interrupt);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether only this machine reaches the address.
bool is_loopback(const std::string& address);

}  // namespace actsearch
