// The datagrams of a swarm: peers without connections, what the handler and other threads send them, and the
// rules.
//
// The network may lose datagrams, double them and mix up their order; everything else is a rule, with a name
// in its message when it is broken: what arrives was sent, by whom it says and to whom it came, whole or
// flagged as cut · not more often than the network had it · a peer's come on one loop · each done once, and
// what was answered with an error never arrives · nothing waits in a socket while everything sleeps · a
// session is opened before its datagrams come, and closed once, not before its time · the engine's counts are
// ours.
#pragma once

#include <ringwire/ringwire.hpp>

#include "lib/sim/simulation.hpp"
#include "tests/sim/plan.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire::test {

/// All that has to do with datagrams in one run.
class DatagramCrowd {
 public:
  /// What it is given outlives it.
  DatagramCrowd(kernel::sim::Choices& choices, const Plan& plan, sim::Simulation& world)
      : choices_{choices}, plan_{plan}, world_{world} {}
  DatagramCrowd(const DatagramCrowd&) = delete;
  DatagramCrowd& operator=(const DatagramCrowd&) = delete;

  /// The engine has booted.
  void meet(Engine& engine);
  /// A peer comes, sends or leaves, or another thread sends.
  void act();
  /// The event. `stopping`: somebody has told the engine to.
  Action on_datagram(Datagram& datagram, bool stopping);
  /// A session begins, or ends.
  Action on_session_open(Session& session);
  Action on_session_close(Session& session, std::error_code reason);
  /// Looks at what peers have got.
  void check_peers();
  /// Nothing moves, and nothing can but time.
  void check_quiet(bool stopping);
  /// Everything has ended.
  void check_end();
  /// The first rule that was broken, in words; empty = none.
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
  /// Bytes checked.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  // A datagram somebody has sent.
  struct Sent {
    std::uint16_t from;
    std::uint16_t to;
    std::string bytes;
    std::size_t arrivals = 0;
    bool failed = false;
  };

  [[nodiscard]] std::string fresh_bytes();
  [[nodiscard]] Address address_of(std::uint16_t port) const;
  [[nodiscard]] std::uint16_t draw_peer();
  Sent& note(std::uint16_t from, std::uint16_t to, std::string bytes);
  void note_arrival(std::uint16_t from, std::uint16_t to, std::string_view bytes, std::size_t size);
  void check_loop(Datagram& datagram);
  void answer(Datagram& datagram);
  void send_from_outside();
  void check_session(Session* session);
  [[nodiscard]] Action whim(Session& session);
  void violate(const std::string& what);

  kernel::sim::Choices& choices_;
  const Plan& plan_;
  sim::Simulation& world_;
  Engine* engine_ = nullptr;
  std::vector<std::uint16_t> ports_;  // The engine's.
  std::vector<SocketRef> sockets_;    // On each loop, for each port.
  std::vector<std::uint16_t> socket_ports_;
  std::vector<const Session*> sessions_;  // Those that are open.
  std::deque<Sent> sent_;
  std::map<std::pair<std::uint16_t, std::uint16_t>, LoopRef> homes_;  // Peer and port: the loop they come on.
  std::string violation_;
  std::uint64_t number_ = 0;
  std::uint64_t told_ = 0;      // Datagrams the handler got …
  std::uint64_t cut_ = 0;       // … of them cut.
  std::uint64_t queued_ = 0;    // Datagrams the engine took from us.
  std::uint64_t promised_ = 0;  // Callbacks handed over …
  std::uint64_t kept_ = 0;      // … and called.
  std::uint64_t refused_ = 0;   // Of those: never queued.
  std::uint64_t bytes_ = 0;
  std::uint64_t told_then_ = 0;            // `told_` when it was last quiet.
  kernel::Nanoseconds waiting_since_ = 0;  // Quiet, with a datagram in a socket; 0 = not.
};

}  // namespace ringwire::test
