// The public face of a simulation: what a user says about one becomes calls of it.
#include <ringwire/sim.hpp>

#include "lib/base/assert.hpp"
#include "lib/kernel/linux.hpp"
#include "lib/sim/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <utility>

namespace ringwire::sim {
namespace {

using kernel::sim::Fault;

// Kinds that end a connection, or fail a call for good. All others are whims: the reactor hides them.
constexpr std::array breaks{Fault::recv_fails,       Fault::send_fails,   Fault::accept_fails,
                            Fault::connect_fails,    Fault::call_fails,   Fault::datagram_lost,
                            Fault::datagram_doubled, Fault::datagram_late};
// Kinds that are no faults at all.
constexpr std::array ways{Fault::inline_attempt, Fault::burst};
constexpr std::array<std::uint32_t, 3> ways_rates{0, 300, 900};

template <std::size_t count>
bool is_one_of(const std::array<Fault, count>& kinds, Fault fault) noexcept {
  return std::find(kinds.begin(), kinds.end(), fault) != kinds.end();
}

Fault fault_at(std::size_t index) noexcept {
  RINGWIRE_ASSERT(index < kernel::sim::faults_count);
  return static_cast<Fault>(index);
}

// Names the seed in the report of a check that fails meanwhile.
class Noted {
 public:
  explicit Noted(const std::string& note) noexcept : before_{base::note_checks(note.c_str())} {}
  Noted(const Noted&) = delete;
  Noted& operator=(const Noted&) = delete;
  ~Noted() { base::note_checks(before_); }

 private:
  const char* before_;
};

}  // namespace

// ---- one client

void Peer::send(std::string_view bytes) {
  RINGWIRE_REQUIRE(!peer_->is_finishing(), "a peer sends nothing behind its FIN");
  if (!peer_->is_gone()) peer_->send(bytes);
}
void Peer::finish() noexcept {
  peer_->finish();
}
void Peer::reset() noexcept {
  peer_->reset();
}
void Peer::pause_reading() noexcept {
  peer_->set_reading(false);
}
void Peer::resume_reading() noexcept {
  peer_->set_reading(true);
}
const std::string& Peer::received() const noexcept {
  return peer_->received();
}
std::size_t Peer::unsent_size() const noexcept {
  return peer_->outbox_size();
}
bool Peer::has_end() const noexcept {
  return peer_->has_end();
}
std::error_code Peer::error() const noexcept {
  return {peer_->error(), std::system_category()};
}
bool Peer::was_refused() const noexcept {
  return peer_->was_refused();
}
bool Peer::is_gone() const noexcept {
  return peer_->is_gone();
}
std::uint16_t Peer::port() const noexcept {
  return peer_->port();
}

// ---- one who sends datagrams

void DatagramPeer::send_to(std::uint16_t port, std::string_view bytes) {
  RINGWIRE_REQUIRE(port != 0, "nobody has port 0");
  RINGWIRE_REQUIRE(bytes.size() <= kernel::sim::DatagramNet::size_most, "a datagram of {} bytes",
                   bytes.size());
  if (!peer_->is_gone()) peer_->send(port, std::string{bytes});
}
void DatagramPeer::leave() noexcept {
  peer_->leave();
}
std::size_t DatagramPeer::received_count() const noexcept {
  return peer_->received().size();
}
const std::string& DatagramPeer::received(std::size_t index) const noexcept {
  RINGWIRE_REQUIRE(index < received_count(), "datagram {} of {}", index, received_count());
  return peer_->received()[index].bytes;
}
std::uint16_t DatagramPeer::sender(std::size_t index) const noexcept {
  RINGWIRE_REQUIRE(index < received_count(), "datagram {} of {}", index, received_count());
  return peer_->received()[index].from;
}
std::size_t DatagramPeer::unsent_count() const noexcept {
  return peer_->outbox_count();
}
bool DatagramPeer::is_gone() const noexcept {
  return peer_->is_gone();
}
std::uint16_t DatagramPeer::port() const noexcept {
  return peer_->port();
}

// ---- the world

struct World::State {
  explicit State(const Settings& settings_)
      : settings{settings_},
        note{fmt::format("while seed {} was simulated", settings.seed)},
        choices{settings.seed},
        simulation{std::make_unique<Simulation>(choices)} {}

  std::error_code start(engine::Handlers handlers, std::span<const std::string_view> addresses,
                        const Options& options);
  void let_faults_happen();
  [[nodiscard]] std::string trouble() const { return found.empty() ? simulation->trouble() : found; }
  [[nodiscard]] bool is_sound() const { return trouble().empty(); }
  bool step(bool time_may_pass);

  Settings settings;
  std::string note;
  kernel::sim::SeededChoices choices;
  std::unique_ptr<Simulation> simulation;
  kernel::Nanoseconds began = 0;
  std::string found;  // Trouble the simulation cannot see by itself.
  bool started = false;
  bool ended = false;

  // A broken world cannot be taken down in order, and its remains are what a debugger wants to see: it stays
  // in memory, at the end of this chain.
  State* kept_before = nullptr;
  static inline std::atomic<State*> kept = nullptr;
};

std::error_code World::State::start(engine::Handlers handlers, std::span<const std::string_view> addresses,
                                    const Options& options) {
  RINGWIRE_REQUIRE(!started, "a world is started once");
  const Noted noted{note};
  started = true;
  const auto error = simulation->start(std::move(handlers), addresses, options);
  if (error) {
    ended = true;
  } else {
    let_faults_happen();
  }
  return error;
}

void World::State::let_faults_happen() {
  kernel::sim::Faults& faults = simulation->kernel().faults();
  for (std::size_t index = 0; index < kernel::sim::faults_count; ++index) {
    const Fault fault = fault_at(index);
    if (is_one_of(ways, fault)) {
      faults.set_rate(fault, ways_rates[choices.draw(ways_rates.size())]);
    } else {
      faults.set_rate(fault, is_one_of(breaks, fault) ? settings.breaks : settings.whims);
    }
  }
}

bool World::State::step(bool time_may_pass) {
  if (!started || ended || !is_sound()) return false;
  const Noted noted{note};
  const bool moved = time_may_pass ? simulation->step() : simulation->step_now();
  return moved && is_sound();
}

World::World(const Settings& settings) : state_{std::make_unique<State>(settings)} {
  RINGWIRE_REQUIRE(settings.socket_buffer_size > 0);
  kernel::sim::SimKernel& kernel = state_->simulation->kernel();
  kernel.files().set_limit(settings.descriptors_max);
  kernel.set_stream_capacity(settings.socket_buffer_size);
  state_->began = kernel.now();
  if (settings.trace) state_->simulation->keep_trace();
}

World::~World() {
  static_cast<void>(run_to_end());
  if (state_->is_sound()) return;
  State* const broken = state_.release();
  broken->kept_before = State::kept.exchange(broken);
}

std::error_code World::start(Handler& handler, std::string_view address, const Options& options) {
  return start(handler, std::span{&address, 1}, options);
}

std::error_code World::start(Handler& handler, std::span<const std::string_view> addresses,
                             const Options& options) {
  return state_->start(handler, addresses, options);
}

std::error_code World::start(HandlerFactory factory, std::string_view address, const Options& options) {
  return start(std::move(factory), std::span{&address, 1}, options);
}

std::error_code World::start(HandlerFactory factory, std::span<const std::string_view> addresses,
                             const Options& options) {
  return state_->start(std::move(factory), addresses, options);
}

Engine& World::engine() noexcept {
  RINGWIRE_REQUIRE(state_->started, "start the world first");
  RINGWIRE_REQUIRE(!state_->ended, "the engine has ended");
  return state_->simulation->engine();
}

bool World::is_over() const noexcept {
  return state_->simulation->is_over();
}

// ---- people

Peer World::connect(std::size_t address) {
  RINGWIRE_REQUIRE(address < engine().addresses().size(), "there is no address {}", address);
  return Peer{state_->simulation->connect(address)};
}

DatagramPeer World::add_datagram_peer() {
  return DatagramPeer{state_->simulation->add_datagram_peer()};
}

void World::answer_on(std::uint16_t port) {
  state_->simulation->kernel().set_remote(port, kernel::sim::Remote::accepts);
}

std::vector<Peer> World::peers() {
  state_->simulation->meet_connected();
  std::vector<Peer> all;
  for (SimPeer& peer : state_->simulation->peers()) all.emplace_back(peer);
  return all;
}

// ---- luck

std::uint32_t World::draw(std::uint32_t count) {
  RINGWIRE_REQUIRE(count > 0, "nothing to draw from");
  return state_->choices.draw(count);
}

bool World::set_fault(std::string_view name, std::uint32_t per_mille) {
  RINGWIRE_REQUIRE(per_mille <= 1000, "{} of 1,000", per_mille);
  for (std::size_t index = 0; index < kernel::sim::faults_count; ++index) {
    if (kernel::sim::name_of(fault_at(index)) != name) continue;
    state_->simulation->kernel().faults().set_rate(fault_at(index), per_mille);
    return true;
  }
  return false;
}

void World::heal() noexcept {
  state_->simulation->heal();
}

std::vector<std::string_view> fault_names() {
  std::vector<std::string_view> names;
  for (std::size_t index = 0; index < kernel::sim::faults_count; ++index) {
    names.push_back(kernel::sim::name_of(fault_at(index)));
  }
  return names;
}

// ---- time

bool World::step() {
  return state_->step(true);
}

bool World::run_until(Function<bool()> predicate, std::uint64_t steps_max) {
  for (std::uint64_t count = 0; !predicate(); ++count) {
    if (count == steps_max || !step()) return false;
  }
  return state_->is_sound();
}

bool World::settle(std::uint64_t steps_max) {
  for (std::uint64_t count = 0; count < steps_max; ++count) {
    if (!state_->step(false)) return state_->is_sound();
  }
  return false;
}

bool World::advance(std::chrono::nanoseconds duration) {
  RINGWIRE_REQUIRE(duration.count() >= 0, "time goes forward, not by {} ns", duration.count());
  kernel::sim::SimKernel& kernel = state_->simulation->kernel();
  const kernel::Nanoseconds until = kernel.now() + static_cast<kernel::Nanoseconds>(duration.count());
  while (settle()) {
    if (kernel.now() >= until) return true;
    kernel.set_time(std::min(until, std::max(kernel.now(), kernel.next_timeout())));
  }
  return false;
}

std::string World::run_to_end(std::uint64_t steps_max) {
  State& state = *state_;
  if (!state.started || state.ended || !state.is_sound()) return state.trouble();
  heal();
  if (!is_over()) static_cast<void>(engine().stop());
  for (std::uint64_t count = 0; !is_over() && state.is_sound(); ++count) {
    if (count < steps_max && state.step(true)) continue;
    if (!is_over() && state.is_sound()) {
      state.found = "no end in sight, with " + state.simulation->kernel().describe_all();
    }
  }
  if (!state.is_sound() || !settle(steps_max)) return state.trouble();

  state.ended = true;
  const Noted noted{state.note};
  const std::string left = state.simulation->leftovers();
  if (!left.empty()) state.found = "left behind: " + left;
  return state.trouble();
}

std::chrono::nanoseconds World::now() const noexcept {
  return std::chrono::nanoseconds{state_->simulation->kernel().now() - state_->began};
}

// ---- what became of it

std::uint64_t World::steps() const noexcept {
  return state_->simulation->steps();
}

std::uint64_t World::faults_count() const noexcept {
  return state_->simulation->kernel().faults().total();
}

std::string World::trouble() const {
  return state_->trouble();
}

std::string World::trace() const {
  return state_->settings.trace ? state_->simulation->trace() : std::string{};
}

// ---- many of them

std::string Failure::to_string() const {
  return fmt::format("seed {}: {} (again: RINGWIRE_SEED={})", seed, what, seed);
}

std::optional<Failure> for_each_seed(std::uint64_t first, std::uint64_t count,
                                     Function<std::string(std::uint64_t seed)> body) {
  kernel::Linux system;
  if (const std::string only = system.environment("RINGWIRE_SEED"); !only.empty()) {
    const auto [end, error] = std::from_chars(only.data(), only.data() + only.size(), first);
    if (error != std::errc{} || end != only.data() + only.size()) {
      return Failure{first, fmt::format("RINGWIRE_SEED is '{}'; it must be a number", only)};
    }
    count = 1;
  }
  const bool shows = system.environment("RINGWIRE_SHOW_SEEDS") == "1";
  for (std::uint64_t seed = first; count > 0; ++seed, --count) {
    if (shows) fmt::print(stderr, "ringwire: seed {}\n", seed);
    try {
      if (std::string what = body(seed); !what.empty()) return Failure{seed, std::move(what)};
    } catch (...) {
      fmt::print(stderr, "ringwire: an exception ended seed {} (again: RINGWIRE_SEED={})\n", seed, seed);
      throw;
    }
  }
  return std::nullopt;
}

}  // namespace ringwire::sim
