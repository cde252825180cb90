// What holds for every stream: a test case that makes a Transport runs twice, over TCP and over a unix
// socket.
//
// Leaves to others: facts of one transport only, whose tests name their address (or none, which is TCP).
// Invariant: at most one Transport in a test case; servers made with it one after the other share its path.
#pragma once

#include "tests/support/catch.hpp"
#include "tests/support/directory.hpp"
#include "tests/support/server.hpp"

#include <string>

namespace ringwire::test {

/// The transport of this run of the test case.
class Transport {
 public:
  Transport()
      : is_unix_{GENERATE(false, true)},
        said_{Catch::MessageBuilder("INFO", CATCH_INTERNAL_LINEINFO, Catch::ResultWas::Info)
              << (is_unix_ ? "over a unix socket" : "over TCP")} {}

  /// Is it a unix socket's?
  [[nodiscard]] bool is_unix() const { return is_unix_; }
  /// Where a server listens.
  [[nodiscard]] std::string address() const {
    return is_unix_ ? "unix://" + directory_ / "socket" : "tcp://127.0.0.1:0";
  }

 private:
  bool is_unix_;
  Catch::ScopedMessage said_;  // With what fails.
  Directory directory_;
};

/// A server that listens on that transport.
struct StreamServer : TestServer {
  StreamServer(RecordingHandler& handler, const Transport& transport, const Options& options = quiet())
      : TestServer{handler, options, {transport.address()}} {}
};

}  // namespace ringwire::test
