// Your own Handler in a simulated world: scripted peers, faults and virtual time, all drawn from one seed.
//
// The engine in it is the real one; the kernel, the network and the clock are played. One thread, no sockets,
// no waiting: a second of virtual time costs what happens in it. docs/simulate.md walks through an example.
// Leaves to others: what your protocol promises, which your test checks.
#pragma once

#include <ringwire/engine.hpp>
#include <ringwire/function.hpp>
#include <ringwire/handler.hpp>
#include <ringwire/options.hpp>
#include <ringwire/sim_datagram_peer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire::sim {

class SimPeer;

/// What a world is like. Rates are per mille: so many of 1,000 occasions.
struct Settings {
  /// Decides the schedule, the faults and what `World::draw` answers. The same seed, settings, handler and
  /// build give the same run, step by step.
  std::uint64_t seed = 0;
  /// How often the kernel has a whim that ringwire hides from you: short sends and receives, no buffers, an
  /// interrupted call, a late cancel. Not one byte is lost by them.
  std::uint32_t whims = 20;
  /// How often something really breaks: a receive or a send ends its connection with an errno, an accept or a
  /// socket call fails. Your handler sees `on_close` with that reason; the peer sees a broken connection.
  /// Datagrams are lost, come twice, or overtake others.
  std::uint32_t breaks = 0;
  /// Bytes one direction of a connection holds in the kernel and on the way. Small, so that a reader who
  /// pauses is soon felt. At least 1.
  std::size_t socket_buffer_size = 4096;
  /// Descriptors the process may have open, its first three included; beyond it an accept answers EMFILE.
  std::size_t descriptors_max = 1024;
  /// Keep a line for each step, for `World::trace`.
  bool trace = false;
};

/// A client outside the simulated process, or the far end of a connection the handler made.
///
/// What it is told to do it does at steps of its own: nothing here calls your handler.
/// Thread: its world's. Lifetime: a small value, to be copied freely; valid as long as its `World`.
/// Failure: on a connection that is gone or never was, every deed does nothing.
///
/// Example: `auto alice = world.connect(); alice.send("hello\n"); world.settle();`
class Peer {
 public:
  /// For `World`.
  explicit Peer(SimPeer& peer) noexcept : peer_{&peer} {}

  /// Sends these bytes behind all others, in pieces the seed decides. Not after `finish`.
  void send(std::string_view bytes);
  /// Sends FIN behind them and goes on receiving.
  void finish() noexcept;
  /// Goes away at once with a reset (RST); what it has not sent yet is lost.
  void reset() noexcept;
  /// Stops reading: what is sent to it fills `Settings::socket_buffer_size`, then waits in the engine.
  void pause_reading() noexcept;
  /// Reads on.
  void resume_reading() noexcept;

  /// Everything received so far. Grows as the world moves on; the reference is valid as long as the world.
  [[nodiscard]] const std::string& received() const noexcept;
  /// Bytes it was told to send that have not left it.
  [[nodiscard]] std::size_t unsent_size() const noexcept;
  /// The engine's FIN came, behind all of its bytes.
  [[nodiscard]] bool has_end() const noexcept;
  /// Why the connection broke, an errno; empty when it did not.
  [[nodiscard]] std::error_code error() const noexcept;
  /// It was never connected: nobody listened, or `Options::backlog` was full.
  [[nodiscard]] bool was_refused() const noexcept;
  /// Its end is closed: refused, reset, broken, or FIN went both ways.
  [[nodiscard]] bool is_gone() const noexcept;
  /// Its port: what the handler finds in `conn.remote_address().port`. 0 when refused.
  [[nodiscard]] std::uint16_t port() const noexcept;

 private:
  SimPeer* peer_;
};

/// An engine with your handler, its kernel, network and clock, and the peers around it.
///
/// Nothing happens by itself: `step` does one thing (a lap of a loop, a bit of network, a move of a peer),
/// and the seed draws which. All loops take turns on your thread; between two steps your test is like any
/// other thread: use `engine()`, a `ConnRef` or a `LoopRef`, but no `Conn`.
///
/// Thread: one at a time. Several worlds may exist.
/// Lifetime: the handler outlives the world. The destructor runs what is left to its end, with its events.
/// Failure: ringwire's own rules are checked all the time; `trouble` says which one was broken. After that
/// nothing moves any more, and what the world holds is kept in memory for a debugger. A broken assertion
/// aborts as it always does; its report names the seed.
///
/// Example:
/// ```
/// ringwire::sim::World world{{.seed = 17}};
/// if (auto error = world.start(echo, "tcp4://:9000")) return ringwire::explain(error);
/// auto peer = world.connect();
/// peer.send("hello");
/// bool answered = world.run_until([&] { return peer.received() == "hello"; });
/// return answered ? world.run_to_end() : "no echo";
/// ```
class World {
 public:
  /// Steps after which a call that runs gives up, unless told otherwise.
  static constexpr std::uint64_t steps_max_default = 100'000;

  /// An empty world.
  explicit World(const Settings& settings = {});
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  /// Boots an engine as `run` does: `on_boot`, rings, loops (`Options::loops` of them). Faults begin when it
  /// is done. Once for each world. Environment variables are not read: options are all there is.
  ///
  /// Failure: as `run` (bad option, bad address, an exception from `on_boot`); then nothing is left running.
  [[nodiscard]] std::error_code start(Handler& handler, std::string_view address,
                                      const Options& options = {});
  /// The same with several addresses.
  [[nodiscard]] std::error_code start(Handler& handler, std::span<const std::string_view> addresses,
                                      const Options& options = {});
  /// The same with a handler for each loop; they live as long as the world.
  [[nodiscard]] std::error_code start(HandlerFactory factory, std::string_view address,
                                      const Options& options = {});
  /// The same with a handler for each loop and several addresses.
  [[nodiscard]] std::error_code start(HandlerFactory factory, std::span<const std::string_view> addresses,
                                      const Options& options = {});

  /// The engine; after `start`, before `run_to_end`.
  [[nodiscard]] Engine& engine() noexcept;
  /// Have all loops ended (or did none ever run)?
  [[nodiscard]] bool is_over() const noexcept;

  // -- people

  /// A client connects to the address with this index. The handler is told when it has been accepted.
  Peer connect(std::size_t address = 0);
  /// From now on connections the handler makes (`LoopRef::connect`) to this port of 127.0.0.1 find somebody;
  /// other ports refuse.
  void answer_on(std::uint16_t port);
  /// Somebody who sends datagrams, and may be sent some. On any udp address; also before `start`.
  DatagramPeer add_datagram_peer();
  /// All clients and all far ends of connections the handler made, in the order they came.
  [[nodiscard]] std::vector<Peer> peers();

  // -- luck

  /// A number below `count` (at least 1), drawn from the seed: for what your script leaves to chance.
  [[nodiscard]] std::uint32_t draw(std::uint32_t count);
  /// From now on one fault happens in `per_mille` of 1,000 cases. Its name is one of `fault_names`; false
  /// when it is none. After `start`, which sets every rate as `Settings` have it.
  bool set_fault(std::string_view name, std::uint32_t per_mille);
  /// From now on nothing fails, nobody is slow and everybody gets his turn; what is broken stays so.
  void heal() noexcept;

  // -- time

  /// Does one thing; with nothing to do, time passes until something wakes. Time also passes now and then
  /// by itself, up to 20 ms, unless healed. False when nothing can ever happen again, or on trouble.
  bool step();
  /// Steps until `predicate` holds: true. False when it did not within `steps_max` steps, when nothing can
  /// happen any more, or on trouble.
  bool run_until(Function<bool()> predicate, std::uint64_t steps_max = steps_max_default);
  /// Runs until nothing can move unless time passes; no time passes meanwhile. False when that did not come
  /// within `steps_max` steps, or on trouble.
  bool settle(std::uint64_t steps_max = steps_max_default);
  /// Lets exactly so much time pass, with all that is due on the way, and settles. False as `settle`.
  ///
  /// Example: `world.advance(std::chrono::seconds{30});  // Whoever is idle is closed by now.`
  bool advance(std::chrono::nanoseconds duration);
  /// Heals, stops the engine as `Engine::stop` does, runs until the last loop has ended and the peers have
  /// seen it, and looks whether every descriptor, buffer and request came home. Answers `trouble`.
  [[nodiscard]] std::string run_to_end(std::uint64_t steps_max = steps_max_default);

  /// Virtual time since the world began.
  [[nodiscard]] std::chrono::nanoseconds now() const noexcept;

  // -- what became of it

  /// Steps done.
  [[nodiscard]] std::uint64_t steps() const noexcept;
  /// Faults that happened, whims included.
  [[nodiscard]] std::uint64_t faults_count() const noexcept;
  /// What is wrong, in words: a rule of the kernel broken, a loop that spins (64 laps in a row that ask the
  /// kernel for nothing, as when a handler wakes itself for ever), no end in sight, something left behind.
  /// Empty = nothing.
  [[nodiscard]] std::string trouble() const;
  /// A line for each step, with its number, the time in ns and what was done; empty without
  /// `Settings::trace`. Two runs of one seed give the same text.
  [[nodiscard]] std::string trace() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Every name `World::set_fault` knows, valid for ever. "burst" and "inline_attempt" are no faults, but ways
/// of the kernel to do more at once; each seed draws how often.
[[nodiscard]] std::vector<std::string_view> fault_names();

/// A seed that did not go well, and why.
struct Failure {
  std::uint64_t seed = 0;
  std::string what;

  /// "seed 17: bob missed a line (again: RINGWIRE_SEED=17)": print it where your test fails.
  [[nodiscard]] std::string to_string() const;
};

/// Calls `body` with `count` seeds from `first` on; it makes a `World` of each and answers what went wrong,
/// "" = nothing. Answers the first that failed, or nothing.
///
/// Thread: the caller's; the body too.
/// Failure: an exception passes through; a line on standard error names the seed before.
///
/// With RINGWIRE_SEED=17 in the environment only seed 17 is run: so a failure comes again, in a debugger if
/// you like. With RINGWIRE_SHOW_SEEDS=1 each seed is named on standard error before it is run: for ends that
/// cannot name theirs, a segmentation fault or a sanitizer's report.
///
/// Example: `auto failure = for_each_seed(0, 1000, [](std::uint64_t seed) { return try_room(seed); });`
[[nodiscard]] std::optional<Failure> for_each_seed(std::uint64_t first, std::uint64_t count,
                                                   Function<std::string(std::uint64_t seed)> body);

}  // namespace ringwire::sim
