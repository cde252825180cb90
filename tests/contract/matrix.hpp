// The matrix of the contract: every transport, way of writing, number of loops and of addresses, and policy
// together, each with ten peers that exchange a mebibyte.
//
// Leaves to others: what one configuration must do (servers.cpp, clients.cpp, datagrams.cpp), and counting
// those that ran (perf/evidence/contract-matrix). Invariant: what has no meaning is left out here, by name.
#pragma once

#include <ringwire/ringwire.hpp>

#include "tests/support/directory.hpp"
#include "tests/support/server.hpp"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ringwire::contract {

/// How bytes are written.
enum class Way { write, ref_write, writev, buffer };
/// How a server's connections find their loop.
enum class Spread { round_robin, least_connections, source_hash, own_policy, reuse_port };
/// How a client's connections come to be.
enum class Opening { connect, loop_connect, enroll };

/// Peers in each configuration.
inline constexpr std::size_t peers_count = 10;
/// What a server writes in on_open.
inline constexpr std::string_view greeting = "hello from on_open\n";

/// One cell of the matrix.
struct Configuration {
  bool is_client = false;
  bool is_unix = false;
  Way way = Way::write;
  std::size_t loops = 1;
  std::size_t addresses_count = 1;
  Spread spread = Spread::round_robin;  // Servers.
  Opening opening = Opening::connect;   // Clients.

  /// "server tcp write 2 loops round_robin one".
  [[nodiscard]] std::string name() const;
  /// What the engine in question is run with; `policy` outlives it.
  [[nodiscard]] Options options(BalancingPolicy& policy) const;
  /// What the server listens on.
  [[nodiscard]] std::vector<std::string> addresses(const test::Directory& directory) const;
};

/// All cells of servers that write so on that transport; those to be run, that is: `./dev test` runs every
/// other one, RINGWIRE_MATRIX=all runs all.
[[nodiscard]] std::vector<Configuration> servers(bool is_unix, Way way);
/// The same of clients.
[[nodiscard]] std::vector<Configuration> clients(bool is_unix, Way way);

/// Is the whole matrix to be run?
[[nodiscard]] bool runs_all();
/// Says that a cell was run, where all are: "ran: NAME".
void note_ran(const std::string& name);

/// What peer `index` sends: random bytes, a mebibyte unless a sanitizer makes that too slow for every day.
[[nodiscard]] const std::string& message(std::size_t index);

/// A thread that is no loop's: does what it is given, in order.
class Elsewhere {
 public:
  Elsewhere();
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;
  ~Elsewhere();

  /// Does it soon.
  void post(std::function<void()> deed);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> deeds_;
  bool ending_ = false;
  std::thread thread_;
};

/// Writes in one way; notes "failed" where a write does not succeed.
class Sender {
 public:
  /// `handler` outlives it.
  Sender(Way way, test::RecordingHandler& handler) : way_{way}, handler_{handler} {}

  /// Writes these bytes.
  void send(Conn& conn, Bytes bytes);
  /// Writes back what has come.
  void echo(Conn& conn);

 private:
  void send_kept(Conn& conn, Buffer bytes);
  void check(bool holds);

  Way way_;
  test::RecordingHandler& handler_;
  Elsewhere elsewhere_;
};

/// Stops the server, which has served each peer, and checks that each was opened and closed, and nothing
/// failed.
void expect_all_served(test::TestServer& server, const test::RecordingHandler& handler);

/// A policy of the user's: loop after loop, and counts how often it was asked.
struct Turns : BalancingPolicy {
  std::size_t assign(const Address& peer, std::span<const LoopLoad> loops) override;
  std::atomic<std::size_t> asked = 0;
};

}  // namespace ringwire::contract
