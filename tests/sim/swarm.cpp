// The people outside a swarm's engine, and the rules looked at from there.
#include "tests/sim/swarm.hpp"

#include <ringwire/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

namespace ringwire::test {
namespace {

using kernel::sim::Fault;

constexpr std::uint16_t remote_port = 7000;
// Its loop may be slow to look, and the kernel to cancel.
constexpr std::chrono::seconds dial_patience{1};
constexpr std::uint64_t calm_steps_max = 60'000;

}  // namespace

Swarm::Swarm(kernel::sim::Choices& choices, Plan plan)
    : choices_{choices},
      plan_{std::move(plan)},
      made_{std::make_unique<sim::Simulation>(choices)},
      world_{*made_},
      crowd_{choices, plan_, world_},
      alarms_{choices, world_.kernel()} {
  plan_.options.mask = plan_.mask;  // The string has moved.
  plan_.apply(world_);
  if (plan_.has_policy) plan_.options.balancing_policy = this;
  world_.kernel().set_remote(remote_port, kernel::sim::Remote::accepts);
  world_.kernel().set_remote(kernel::sim::unix_name({"\0far", 4}), kernel::sim::Remote::accepts);
  world_.kernel().set_remote(remote_port + 1, kernel::sim::Remote::silent);
  world_.kernel().set_remote(remote_port + 2, kernel::sim::Remote::silent);
}

void Swarm::violate(const std::string& what) {
  if (outcome_.violation.empty()) outcome_.violation = what;
}

// ---- who is who

std::string Swarm::bytes_of(std::size_t peer, bool from_client, std::size_t begin, std::size_t size) const {
  std::string bytes(size, '\0');
  for (std::size_t index = 0; index < size; ++index) {
    const std::uint64_t mixed =
        ((begin + index) * 2 + (from_client ? 1 : 0) + peer * 7919) * 0x9E37'79B9'7F4A'7C15U;
    bytes[index] = static_cast<char>(mixed >> 56);
  }
  return bytes;
}

Swarm::Link& Swarm::link_of_peer(std::size_t peer) {
  while (links_.size() <= peer) {
    links_.emplace_back();
    links_.back().peer = links_.size() - 1;
  }
  return links_[peer];
}

// Through the simulated kernel: the public face cannot name a peer that has already gone.
Swarm::Link& Swarm::link_of(Conn& conn) {
  if (const std::size_t* known = conn.context<std::size_t>()) return link_of_peer(*known);
  world_.meet_connected();
  const auto file = world_.kernel().files().find(conn.fd());
  for (std::size_t peer = 0; file != nullptr && peer < world_.peers().size(); ++peer) {
    if (world_.peers()[peer].stream() == file->stream.get()) return link_of_peer(peer);
  }
  violate("a connection that no client made");
  return link_of_peer(world_.peers().size());
}

kernel::sim::Stream* Swarm::stream_of(const Link& link) {
  return link.peer < world_.peers().size() ? world_.peers()[link.peer].stream() : nullptr;
}

// ---- people

void Swarm::before_step(std::uint32_t /*step*/) {
  if (choices_.chance(plan_.act_rate)) act();
}

void Swarm::act() {
  if (!plan_.datagram_addresses.empty() && choices_.draw(2) == 0) return crowd_.act();
  switch (choices_.draw(9)) {
    case 0:
    case 1:
      if (clients_ < plan_.peers_max) {
        ++clients_;
        world_.connect(choices_.draw(static_cast<std::uint32_t>(plan_.addresses.size())));
      }
      return;
    case 2:
      if (plan_.may_dial) dial();
      return;
    case 3:
      return act_of_thread();
    case 4:
      if (choices_.chance(plan_.stop_rate)) ask_to_end();
      return;
    case 5:
      return alarms_.act(any_loop());
    default:
      return act_of_client();
  }
}

void Swarm::act_of_client() {
  if (world_.peers().empty()) return;
  const std::size_t index = choices_.draw(static_cast<std::uint32_t>(world_.peers().size()));
  sim::SimPeer& peer = world_.peers()[index];
  if (peer.is_gone()) return;
  switch (choices_.draw(8)) {
    case 0:
      return peer.finish();
    case 1:
      return peer.set_reading(choices_.draw(2) == 0);
    case 2:
      if (choices_.draw(4) == 1) peer.reset();
      return;
    case 3:
      if (choices_.draw(8) == 1) peer.stream()->fail(ETIMEDOUT);
      return;
    default: {
      if (peer.is_finishing()) return;
      const std::size_t size = choices_.draw(600);
      peer.send(bytes_of(index, true, peer.sent_size() + peer.outbox_size(), size));
    }
  }
}

// Another thread with a handle: whatever it asks is answered once, also when the connection has long been
// gone.
void Swarm::act_of_thread() {
  if (links_.empty()) return;
  Link& link = links_[choices_.draw(static_cast<std::uint32_t>(links_.size()))];
  switch (choices_.draw(6)) {
    case 5:
      return offload(link);
    case 0:
      ++posted_;
      return link.ref.wake([this](std::error_code) { ++posts_run_; });
    case 1:
      if (choices_.draw(3) != 1) return;
      ++promised_;
      link.close_asked = true;
      return link.ref.close([this, &link](std::error_code error) {
        ++kept_;
        if (!error && !link.closed) violate("close was answered before on_close");
      });
    case 2: {
      // Asked for nothing but to be told when what was written before has left.
      ++promised_;
      return link.ref.write(Bytes{}, [this](std::error_code) { ++kept_; });
    }
    default:
      if (link.outside) return write_from_outside(link);
      ++posted_;
      return link.ref.post([this, &link](Conn* conn) {
        ++posts_run_;
        if (conn == nullptr || link.closing) return;
        if (link.closed) violate("a handle found a connection after its on_close");
        pause_or_resume(*conn, link);
        write(*conn, link);
      });
  }
}

// The only writer of its connection, so the position of its bytes is known when they are posted.
void Swarm::write_from_outside(Link& link) {
  const std::size_t size = choices_.draw(plan_.write_max);
  const std::string bytes = bytes_of(link.peer, false, link.written, size);
  link.written += size;
  ++promised_;
  const auto done = [this, &link](std::error_code error) {
    ++kept_;
    if (error) link.has_gap = true;
  };
  if (choices_.draw(2) == 0) return link.ref.write(bytes, done);
  link.ref.write(Buffer{bytes}, done);
}

LoopRef Swarm::any_loop() {
  return engine_->loop(choices_.draw(static_cast<std::uint32_t>(engine_->loops_count())));
}

void Swarm::dial() {
  const LoopRef loop = any_loop();
  // One accepts, one answers late, one never (while there are descriptors for that), one refuses; and a unix
  // socket that accepts.
  std::uint32_t which = choices_.draw(5);
  if (which == 2 && plan_.descriptors_max < 100) which = 3;
  const std::string place =
      which == 4 ? "unix://@far" : fmt::format("tcp://127.0.0.1:{}", remote_port + which);
  const std::chrono::milliseconds timeout{choices_.draw(3) == 1 ? 1 + choices_.draw(50) : 0};
  const std::size_t index = dials_.size();
  dials_.push_back({world_.kernel().now(), timeout});
  const Connecting dial = loop.connect(
      place, {.timeout = timeout},
      [this, index](Conn* conn, std::error_code error) { end_dial(dials_[index], conn, error); });
  if (dial.error()) return;
  ++promised_;
  if (choices_.draw(4) != 1) return;
  // The letter behind it says that it was read.
  if (dial.cancel()) return;
  static_cast<void>(loop.post([this, index] { dials_[index].cancelled = true; }));
}

void Swarm::end_dial(const Dial& dial, Conn* conn, std::error_code error) {
  ++kept_;
  if ((conn == nullptr) != static_cast<bool>(error)) violate("a connect ended with both, or neither");
  if (conn != nullptr && dial.cancelled) violate("a connect that was cancelled became a connection");
  const auto took = std::chrono::nanoseconds{world_.kernel().now() - dial.begun};
  if (dial.timeout.count() == 0) return;
  if (took > dial.timeout + dial_patience) violate("a connect was not given up when its time was over");
}

void Swarm::check_clients() {
  for (std::size_t index = 0; index < world_.peers().size(); ++index) {
    const std::string& received = world_.peers()[index].received();
    if (index >= links_.size() && received.empty()) continue;
    Link& link = link_of_peer(index);
    if (received.size() <= link.checked || link.has_gap) continue;
    const std::size_t size = received.size() - link.checked;
    if (received.size() > link.written) return violate("a client received more than was written");
    if (std::string_view{received}.substr(link.checked) != bytes_of(index, false, link.checked, size)) {
      return violate(fmt::format("a client got other bytes than were written, from {} on", link.checked));
    }
    link.checked = received.size();
    outcome_.bytes += size;
  }
}

void Swarm::check_datagrams() {
  crowd_.check_peers();
  if (!crowd_.violation().empty()) violate(crowd_.violation());
}

// ---- the run

Outcome Swarm::run() {
  std::vector<std::string_view> addresses = plan_.addresses;
  addresses.insert(addresses.end(), plan_.datagram_addresses.begin(), plan_.datagram_addresses.end());
  const auto error = world_.start(*this, addresses, plan_.options);
  if (!error) {
    for (std::uint32_t step = 0; step < plan_.steps && !world_.is_over() && outcome_.violation.empty();
         ++step) {
      before_step(step);
      const kernel::Nanoseconds before = world_.kernel().now();
      world_.step();
      check_clients();
      check_datagrams();
      if (const std::string trouble = world_.trouble(); !trouble.empty()) violate(trouble);
      if (!alarms_.violation().empty()) violate(alarms_.violation());
      if (step % 32 == 0) check_balance();
      if (world_.was_quiet()) check_quiet(before);
    }
    if (outcome_.violation.empty()) calm_down();
    if (outcome_.violation.empty()) check_end();
  } else if (!plan_.may_not_start && world_.kernel().faults().total() == 0 && plan_.descriptors_max > 100) {
    violate(fmt::format("the engine did not start: {}", explain(error)));
  }
  outcome_.bytes += crowd_.bytes();
  outcome_.completions = world_.kernel().completions();
  outcome_.faults = world_.kernel().faults().total();
  outcome_.steps = world_.steps();
  kept_buffers_.clear();
  if (outcome_.violation.empty() && (error || world_.is_over())) {
    if (const std::string left = world_.leftovers(); !left.empty()) violate("left behind: " + left);
  }
  // A broken world cannot be taken down in order, and its remains are what a debugger wants to see.
  if (!outcome_.violation.empty()) static_cast<void>(made_.release());
  return outcome_;
}

// Nothing fails any more, and everybody wants to leave: they must all get away.
void Swarm::calm_down() {
  calm_ = true;
  world_.heal();
  alarms_.calm_down();
  world_.kernel().set_remote(remote_port + 1, kernel::sim::Remote::refuses);  // It answers at last.
  std::uint64_t steps = 0;
  bool asked = false;
  while (!world_.is_over() && outcome_.violation.empty()) {
    if (++steps > calm_steps_max) return violate("no end in sight after everything healed");
    const kernel::Nanoseconds before = world_.kernel().now();
    const bool goes_on = world_.step();
    check_clients();
    check_datagrams();
    if (const std::string trouble = world_.trouble(); !trouble.empty()) violate(trouble);
    if (world_.was_quiet()) check_quiet(before);
    if (steps % 256 == 1) say_goodbye();
    if (!asked && !stop_asked_ && steps > calm_steps_max / 2)
      return violate("somebody does not get away: " + stragglers());
    if (!asked && (everybody_left() || stop_asked_)) {
      asked = true;
      // A drain that began ends by itself, too.
      if (!stop_asked_ || choices_.draw(2) == 0) ask_to_stop();
      continue;
    }
    if (!goes_on && asked)
      return violate("the engine does not stop: everything sleeps for ever, with " +
                     world_.kernel().describe_all());
    if (!goes_on) steps += 256 - steps % 256;
  }
}

// Clients end their side, also those that came late; half-closed connections wait for the handler, who is
// asked through its handles.
void Swarm::say_goodbye() {
  for (sim::SimPeer& peer : world_.peers()) {
    peer.set_reading(true);
    peer.finish();
  }
  for (Link& link : links_) {
    if (!link.opened || link.closed) continue;
    // Half of those who are paused go on, the others must get away as they are.
    if (link.paused && link.peer % 2 == 0) {
      ++posted_;
      link.ref.post([this, &link](Conn* conn) {
        ++posts_run_;
        if (conn != nullptr) pause_or_resume(*conn, link);
      });
    }
    link.close_asked = true;
    link.ref.close();
  }
}

std::string Swarm::stragglers() {
  std::string found;
  for (std::size_t index = 0; index < world_.peers().size(); ++index) {
    const sim::SimPeer& peer = world_.peers()[index];
    if (!peer.is_gone())
      found +=
          fmt::format("client {} ({} of its bytes left, end {}) ", index, peer.outbox_size(), peer.has_end());
  }
  for (const Link& link : links_) {
    if (link.opened != link.closed)
      found += fmt::format("connection of client {} (eof {}) ", link.peer, link.eof);
  }
  return found + "with " + world_.kernel().describe_all();
}

bool Swarm::everybody_left() {
  const auto& peers = world_.peers();
  return std::all_of(peers.begin(), peers.end(), [](const sim::SimPeer& peer) { return peer.is_gone(); }) &&
         std::all_of(links_.begin(), links_.end(),
                     [](const Link& link) { return link.opened == link.closed; });
}

// ---- rules at the end

void Swarm::check_end() {
  if (!alarms_.violation().empty()) return violate(alarms_.violation());
  if (const std::string left = alarms_.check_end(); !left.empty()) return violate(left);
  while (!kept_buffers_.empty()) drop_oldest();  // Their pools have closed.
  if (!shut_down_) return violate("no on_shutdown");
  if (posted_ != posts_run_) return violate(fmt::format("{} tasks of {} were run", posts_run_, posted_));
  if (promised_ != kept_) return violate(fmt::format("{} callbacks of {} were called", kept_, promised_));
  check_clients();
  crowd_.check_end();
  check_datagrams();
  for (const Link& link : links_) check_link(link);
  const bool has_path = std::any_of(plan_.addresses.begin(), plan_.addresses.end(),
                                    [](std::string_view each) { return each == "unix:///sim/sock"; });
  if (has_path && world_.kernel().faults().count(Fault::call_fails) == 0 &&
      world_.kernel().paths_count() != 0) {
    violate("the engine left the file of its unix socket");
  }
}

void Swarm::check_link(const Link& link) {
  if (!link.opened) return;
  if (!link.closed) return violate("a connection had no on_close");
  const sim::SimPeer& peer = world_.peers()[link.peer];
  const kernel::sim::Stream& stream = *peer.stream();
  const bool ours = !link.reason || link.reason == Error::end_of_stream;
  if (link.has_gap) return;
  if (peer.has_end() && ours && !link.aborted && !stream.hurt && peer.received().size() != link.written) {
    violate(fmt::format("client {} saw FIN after {} of {} bytes, {} unsent, reason \"{}\"", link.peer,
                        peer.received().size(), link.written, link.unsent, link.reason.message()));
  }
  if (ours && !link.aborted && !stream.hurt && link.unsent != 0) {
    violate(fmt::format("{} bytes were never sent to client {}, and the reason is \"{}\"", link.unsent,
                        link.peer, link.reason.message()));
  }
}

// Nothing moved and nothing could: whoever could still be served has been forgotten.
void Swarm::check_quiet(kernel::Nanoseconds time) {
  if (const std::string late = alarms_.check_quiet(time); !late.empty()) return violate(late);
  crowd_.check_quiet(stop_asked_);
  check_drain();
  if (posted_ != posts_run_ && !world_.is_over()) {
    return violate("everything sleeps though a task waits, with " + world_.kernel().describe_all());
  }
  for (const Link& link : links_) {
    if (link.conn == nullptr || link.closing || link.close_asked || link.may_time_out || stop_asked_)
      continue;
    if (const std::string fault = idle_fault(link); !fault.empty()) {
      return violate(fmt::format("everything sleeps though client {} {}", link.peer, fault));
    }
  }
}

std::string Swarm::idle_fault(const Link& link) {
  const Options& options = plan_.options;
  const sim::SimPeer& peer = world_.peers()[link.peer];
  const kernel::sim::Stream& stream = *peer.stream();
  const unsigned side = 1 - peer.side();
  if (stream.is_closed(side)) return {};
  if (link.paused != link.conn->is_paused()) return "is paused, or not, and nobody asked for it";
  const bool has_room =
      !link.paused && (options.inbound_limit == 0 || link.conn->inbound_size() < options.inbound_limit);
  if (has_room && stream.arrived(side) > 0) return "has bytes to be received";
  // While a send may still tell that the end is a reset, the handler waits with us.
  const bool is_sure = link.conn->outbound_size() == 0;
  if (has_room && is_sure && stream.ended(side) && !link.eof) return "has ended and the handler was not told";
  if (link.conn->outbound_size() > 0 && stream.can_send(side)) return "has bytes to be sent";
  // After a refusal it may be the next byte that leaves which tells, however few wait.
  const std::size_t most = link.was_refused ? 0 : options.outbound_low_mark;
  if (link.above && link.conn->outbound_size() <= most) return "waits for on_writable";
  return {};
}

// Counted when assigned: while nobody has left, the loops differ by one at most.
void Swarm::check_balance() {
  const std::size_t loops = engine_->loops_count();
  if (loops < 2 || closed_count_ > 0 || stop_asked_ || engine_->connections_refused() > 0 || plan_.may_dial)
    return;
  if (plan_.has_policy || plan_.options.reuse_port || plan_.options.balancing == Balancing::source_hash)
    return;
  if (world_.peers().size() != engine_->connections_count()) return;  // Some are still on their way.
  std::size_t least = SIZE_MAX;
  std::size_t most = 0;
  for (std::size_t loop = 0; loop < loops; ++loop) {
    least = std::min(least, engine_->connections_count(loop));
    most = std::max(most, engine_->connections_count(loop));
  }
  if (most - least > 1) violate(fmt::format("loops have {} to {} connections", least, most));
}

Outcome run_swarm(kernel::sim::Choices& choices, Scenario scenario) {
  Swarm swarm{choices, draw_plan(choices, scenario)};
  return swarm.run();
}

}  // namespace ringwire::test
