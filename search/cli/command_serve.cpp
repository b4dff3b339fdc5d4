// actsearch serve: a database as a page that follows a running search.

#include <arpa/inet.h>

#include <iostream>

#include "search/cli/command.h"
#include "search/cli/interrupt.h"
#include "search/cli/options.h"
#include "search/serve/serve.h"

namespace actsearch {
namespace {

std::string chosen_address(const Options& options) {
  std::string address = options.text("bind").value_or("127.0.0.1");
  in6_addr unused{};
  if (address != "localhost" && inet_pton(AF_INET, address.c_str(), &unused) != 1 && inet_pton(AF_INET6, address.c_str(), &unused) != 1) {
    throw UsageError("--bind: an IP address of this machine or localhost is expected, not '" + address.substr(0, 60) + "'");
  }
  return address;
}

Options declared() {
  Options options("serve", "--db FILE [flags]",
                  "Shows the page of `actsearch report` to browsers of this machine, live: a trial is on it within two\n"
                  "seconds of its end. It only reads the database. Ctrl-C ends it.");
  options.value("db", "FILE", "the database: an SQLite file, or postgresql://USER@HOST/NAME");
  options.value("port", "N", "the port, up to 65535; 0 takes one that is free [8080]");
  options.value("bind", "ADDRESS", "the address to listen on; any but the usual one lets other machines read the results [127.0.0.1]");
  return options;
}

int run(const Options& options) {
  ServePlan plan;
  plan.database = options.required("db");
  plan.address = chosen_address(options);
  plan.port = static_cast<int>(options.integer("port", 0, 65'535).value_or(plan.port));
  const std::atomic<bool>& interrupt = catch_interrupts();
  LiveServer server(plan, std::cerr);
  std::cerr << "serving " << plan.database.string() << " at " << server.url() << " (Ctrl-C ends it)" << std::endl;
  if (!is_loopback(plan.address)) std::cerr << "whoever can reach this address can read the results" << std::endl;
  server.run(interrupt);
  return kInterruptedExit;
}

}  // namespace

Command serve_command() { return {"serve", "shows the same page live, while a search runs", declared, run}; }

}  // namespace actsearch
