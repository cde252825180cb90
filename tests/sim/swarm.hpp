// One run: a handler and its clients who do whatever the contract allows, and the rules that must hold all
// the time.
//
// The bytes of each direction are a function of the connection and the position, so every byte that arrives
// anywhere is checked, and nobody keeps what was sent. Rules (oracles), each with a name in the message when
// it is broken:
//   bytes in order, none lost, none twice · on_open, then traffic, at most one on_eof, exactly one on_close ·
//   limits kept · FIN only behind every byte · each done once · a drain tells each connection in its turn,
//   none late, and cuts off nobody too early or untold · after healing everything ends · at the end nothing
//   is left, and the metrics have counted what happened
#pragma once

#include <ringwire/ringwire.hpp>

#include "lib/sim/simulation.hpp"
#include "tests/sim/alarms.hpp"
#include "tests/sim/datagram_crowd.hpp"
#include "tests/sim/plan.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {

/// What became of a run.
struct Outcome {
  std::string violation;  // Empty = every rule held.
  std::uint64_t steps = 0;
  std::uint64_t completions = 0;
  std::uint64_t faults = 0;
  std::uint64_t connections = 0;
  std::uint64_t bytes = 0;  // Checked, in both directions.
};

/// The whole of one run.
class Swarm : public Handler, private BalancingPolicy {
 public:
  /// `choices` outlives it.
  Swarm(kernel::sim::Choices& choices, Plan plan);

  /// Runs it from boot to the last descriptor.
  [[nodiscard]] Outcome run();
  /// The world it happens in.
  [[nodiscard]] sim::Simulation& world() noexcept { return world_; }

  Action on_boot(Engine& engine) override;
  Action on_open(Conn& conn) override;
  Action on_traffic(Conn& conn) override;
  Action on_datagram(Datagram& datagram) override;
  Action on_session_open(Session& session) override { return crowd_.on_session_open(session); }
  Action on_session_close(Session& session, std::error_code reason) override {
    return crowd_.on_session_close(session, reason);
  }
  Action on_eof(Conn& conn) override;
  Action on_writable(Conn& conn) override;
  Action on_drain(Conn& conn) override;
  Action on_close(Conn& conn, std::error_code reason) override;
  Tick on_tick() override;
  void on_shutdown(Engine& engine) override;

 protected:
  // One connection, from both ends.
  struct Link {
    std::size_t peer;          // Index of its client.
    std::size_t expected = 0;  // Bytes the handler has been given.
    std::size_t written = 0;   // Bytes the handler has written (and was not refused).
    std::size_t checked = 0;   // Of those, what the client has received and we have looked at.
    std::size_t unsent = 0;    // Outbound at on_close.
    ConnRef ref;
    Conn* conn = nullptr;  // From on_open to on_close.
    Address client;        // Of an accepted one, if it could be told …
    Address host;          // … and without its port.
    std::error_code reason;
    std::size_t loop = 0;               // From on_open on, as …
    kernel::Nanoseconds opened_at = 0;  // … this.
    bool opened = false;
    bool told = false;  // That the engine stops.
    bool eof = false;
    bool closed = false;
    bool closing = false;  // The handler said close or abort.
    bool aborted = false;
    bool lazy = false;          // Its handler reads nothing until everybody wants to leave.
    bool close_asked = false;   // Through a handle.
    bool may_time_out = false;  // The clock may close it, and nobody can see that from outside.
    bool paused = false;        // By the handler.
    bool outside = false;       // Only another thread writes to it, with ConnRef::write.
    bool has_gap = false;       // Such a write was refused or came too late.
    bool was_refused = false;   // A write was, and on_writable may tell when there is room.
    bool above = false;         // A write was answered above_high_mark, and on_writable has not come.
  };

  // -- what another kind of run does in its own way; here it is drawn

  // Before each step until everything heals.
  virtual void before_step(std::uint32_t step);
  // What the handler does, after every rule was looked at.
  virtual Action react_open(Conn& conn, Link& link);
  virtual Action react_traffic(Conn& conn, Link& link);
  virtual Action react_eof(Conn& conn, Link& link);
  virtual Action react_writable(Conn& conn, Link& link);
  virtual Action react_drain(Conn& conn, Link& link);
  // The call itself.
  [[nodiscard]] virtual Written write_to(Conn& conn, std::span<const Bytes> parts);

  // -- for it

  void violate(const std::string& what);
  void write_size(Conn& conn, Link& link, std::size_t size, bool in_parts);
  void expect(Link& link, Bytes bytes);
  [[nodiscard]] std::string bytes_of(std::size_t peer, bool from_client, std::size_t begin,
                                     std::size_t size) const;
  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
  void ask_to_stop();
  void heal_now() noexcept { plan_.steps = 0; }  // After this step.
  [[nodiscard]] bool everybody_left();

 private:
  // Work for the workers.
  struct Job {
    bool begun = false;
    bool threw = false;
    bool told = false;
  };
  // A connect the engine was asked for.
  struct Dial {
    kernel::Nanoseconds begun;
    std::chrono::milliseconds timeout;
    bool cancelled = false;
  };

  [[nodiscard]] Link& link_of(Conn& conn);
  [[nodiscard]] Link& link_of_peer(std::size_t peer);
  [[nodiscard]] kernel::sim::Stream* stream_of(const Link& link);

  // The handler's whims, swarm_handler.cpp.
  void take(Conn& conn, Link& link);
  void write(Conn& conn, Link& link);
  void write_buffer(Conn& conn, Link& link, std::size_t size);
  void keep(Link& link, Buffer buffer);
  void drop_oldest();
  void set_options(Conn& conn, Link& link);
  void check_budget(Conn& conn);
  void pause_or_resume(Conn& conn, Link& link);
  void note_written(Link& link, Written answer, std::size_t size);
  [[nodiscard]] Action whim(Conn& conn, Link& link);
  void check_limits(Conn& conn);

  // Whoever tells the engine to stop, swarm_drain.cpp.
  void ask_to_end();
  void note_drain(const DrainOptions& options);
  void check_turn(Link& link);
  void check_cut_off(const Link& link);
  void check_drain();
  void check_drain_counts(const Engine& engine);

  // What the engine says of itself, swarm_metrics.cpp.
  void check_metrics(const Engine& engine);
  void check_laps(const LoopMetrics& all);

  // swarm_offload.cpp
  void offload(Link& link);
  void work(Job& job);
  void end_work(Job& job, Link& link, Conn* conn, std::error_code error);

  // The people outside, swarm.cpp.
  void act();
  void act_of_client();
  void act_of_thread();
  void write_from_outside(Link& link);
  [[nodiscard]] LoopRef any_loop();
  void dial();
  void end_dial(const Dial& dial, Conn* conn, std::error_code error);
  void calm_down();
  void say_goodbye();
  [[nodiscard]] std::string stragglers();
  void check_clients();
  void check_datagrams();
  void check_balance();
  void check_crowd(const Link& link);
  void check_loop(const Link& link);
  [[nodiscard]] std::size_t assign(const Address& peer, std::span<const LoopLoad> loops) override;
  void check_quiet(kernel::Nanoseconds time);
  [[nodiscard]] std::string idle_fault(const Link& link);
  void check_end();
  void check_link(const Link& link);

  kernel::sim::Choices& choices_;
  Plan plan_;
  std::unique_ptr<sim::Simulation> made_;
  sim::Simulation& world_;
  DatagramCrowd crowd_;  // Does nothing in a run without datagrams.
  Engine* engine_ = nullptr;
  Alarms alarms_;
  std::deque<Link> links_;
  std::deque<Dial> dials_;                  // All there ever were.
  std::deque<Job> jobs_;                    // The same.
  std::map<Address, std::size_t> told_;     // By client: the loop the policy has chosen.
  std::map<Address, std::size_t> loop_of_;  // By host: the loop of its connections.
  // Buffers somebody keeps: whose bytes, from where on.
  struct Kept {
    std::size_t peer;
    std::size_t begin;
    Buffer buffer;
  };
  std::deque<Kept> kept_buffers_;
  Outcome outcome_;
  std::uint64_t promised_ = 0;   // Callbacks handed over …
  std::uint64_t kept_ = 0;       // … and called.
  std::uint64_t posted_ = 0;     // Tasks posted …
  std::uint64_t posts_run_ = 0;  // … and run, or answered.
  std::uint32_t clients_ = 0;
  std::uint64_t closed_count_ = 0;
  bool stop_asked_ = false;
  // What a drain has been told, by whom we know.
  kernel::Nanoseconds drain_asked_at_ = UINT64_MAX;
  kernel::Nanoseconds told_by_ = UINT64_MAX;
  kernel::Nanoseconds drain_deadline_ = UINT64_MAX;
  bool drain_hastened_ = false;  // Perhaps by one of whom we do not.
  struct Turns {
    kernel::Nanoseconds began_at = 0;  // When the first was told.
    std::ptrdiff_t count = 0;          // How many share the time …
    std::uint64_t told = 0;            // … and have had their turns.
  };
  std::map<std::size_t, Turns> turns_;  // By loop.
  std::size_t cut_off_count_ = 0;
  bool calm_ = false;
  bool shut_down_ = false;
};

/// Runs one seed, or any other source of choices.
[[nodiscard]] Outcome run_swarm(kernel::sim::Choices& choices, Scenario scenario);

}  // namespace ringwire::test
