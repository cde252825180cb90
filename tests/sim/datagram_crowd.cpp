// Peers, a handler without manners, another thread; and a ledger of every datagram.
#include "tests/sim/datagram_crowd.hpp"

#include <ringwire/error.hpp>

#include "lib/net/address.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace ringwire::test {
namespace {

// Longer than the longest pause of a receive that failed.
constexpr kernel::Nanoseconds patience_in_quiet = 300'000'000;

// Two that short may be the same: which of them has arrived nobody knows.
constexpr std::size_t unique_size = 8;

bool never_queued(std::error_code error) {
  return error == Error::closed || error == std::errc::no_buffer_space ||
         error == std::errc::resource_unavailable_try_again || error == std::errc::not_enough_memory;
}

}  // namespace

void DatagramCrowd::violate(const std::string& what) {
  if (violation_.empty()) violation_ = what;
}

void DatagramCrowd::meet(Engine& engine) {
  engine_ = &engine;
  const std::vector<Address> addresses = engine.addresses();
  for (std::size_t index = plan_.addresses.size(); index < addresses.size(); ++index) {
    ports_.push_back(addresses[index].port);
    for (std::size_t loop = 0; loop < engine.loops_count(); ++loop) {
      sockets_.push_back(engine.socket(index, loop));
      socket_ports_.push_back(addresses[index].port);
    }
  }
}

// ---- what they do

// Different from all others but the shortest.
std::string DatagramCrowd::fresh_bytes() {
  const std::size_t limit = plan_.options.datagram_size_max;
  std::size_t size = choices_.draw(static_cast<std::uint32_t>(limit) + 20);
  if (choices_.draw(20) == 1) size += 3 * limit;
  const std::uint64_t number = ++number_;
  std::string bytes(size, '\0');
  for (std::size_t index = 0; index < size; ++index) {
    const std::uint64_t mixed = (number * 4096 + index) * 0x9E37'79B9'7F4A'7C15U;
    bytes[index] = static_cast<char>((mixed ^ mixed >> 29) * 0xBF58'476D'1CE4'E5B9U >> 56);
  }
  return bytes;
}

Address DatagramCrowd::address_of(std::uint16_t port) const {
  return net::to_address(kernel::sim::loopback_name(port));
}

std::uint16_t DatagramCrowd::draw_peer() {
  auto& peers = world_.datagram_peers();
  return peers[choices_.draw(static_cast<std::uint32_t>(peers.size()))].port();
}

DatagramCrowd::Sent& DatagramCrowd::note(std::uint16_t from, std::uint16_t to, std::string bytes) {
  return sent_.emplace_back(Sent{from, to, std::move(bytes)});
}

void DatagramCrowd::act() {
  auto& peers = world_.datagram_peers();
  if (peers.empty()) {
    world_.add_datagram_peer();
    return;
  }
  switch (choices_.draw(8)) {
    case 0:
      if (peers.size() < plan_.datagram_peers_max) world_.add_datagram_peer();
      return;
    case 1:
      if (choices_.draw(8) == 1) peers[choices_.draw(static_cast<std::uint32_t>(peers.size()))].leave();
      return;
    case 2:
    case 3:
      return send_from_outside();
    default: {
      auto& peer = peers[choices_.draw(static_cast<std::uint32_t>(peers.size()))];
      if (peer.is_gone()) return;
      const std::uint16_t to = ports_[choices_.draw(static_cast<std::uint32_t>(ports_.size()))];
      const std::string bytes = fresh_bytes();
      note(peer.port(), to, bytes);
      peer.send(to, bytes);
    }
  }
}

// Another thread with a handle.
void DatagramCrowd::send_from_outside() {
  const std::size_t index = choices_.draw(static_cast<std::uint32_t>(sockets_.size()));
  const std::uint16_t to = draw_peer();
  const std::string bytes = fresh_bytes();
  Sent& sent = note(socket_ports_[index], to, bytes);
  ++promised_;
  sockets_[index].send_to(bytes, address_of(to), [this, &sent](std::error_code error) {
    ++kept_;
    if (error && never_queued(error)) ++refused_;
    sent.failed = static_cast<bool>(error);
    if (sent.failed && sent.arrivals > 0 && sent.bytes.size() >= unique_size) {
      violate("a datagram arrived that was answered with an error");
    }
  });
}

void DatagramCrowd::answer(Datagram& datagram) {
  const bool to_sender = choices_.draw(3) != 1;
  const std::uint16_t to = to_sender ? datagram.remote_address().port : draw_peer();
  const std::string bytes = fresh_bytes();
  note(datagram.local_address().port, to, bytes);  // First: without memory for it nothing is sent.
  const std::error_code error =
      to_sender ? datagram.reply(bytes) : datagram.send_to(to_bytes(bytes), address_of(to));
  if (error) {
    sent_.pop_back();
    if (error != std::errc::no_buffer_space && error != std::errc::not_enough_memory &&
        error != Error::closed) {
      violate("an answer was refused for no reason: " + error.message());
    }
    return;
  }
  ++queued_;
}

// ---- what they must see

Action DatagramCrowd::on_datagram(Datagram& datagram, bool stopping) {
  ++told_;
  const std::size_t limit = plan_.options.datagram_size_max;
  if (datagram.is_truncated()) ++cut_;
  if (datagram.is_truncated() != (datagram.size() > limit)) {
    violate(fmt::format("a datagram of {} bytes, limit {}, says cut: {}", datagram.size(), limit,
                        datagram.is_truncated()));
  }
  if (datagram.bytes().size() != std::min(datagram.size(), limit)) {
    violate(fmt::format("{} bytes came of a datagram of {}, limit {}", datagram.bytes().size(),
                        datagram.size(), limit));
  }
  note_arrival(datagram.remote_address().port, datagram.local_address().port, to_text(datagram.bytes()),
               datagram.size());
  check_session(datagram.session());
  if (!stopping) check_loop(datagram);  // Loops do not close their sockets at the same moment.
  const std::uint32_t answers = choices_.draw(4);
  for (std::uint32_t count = 0; count < std::min(answers, 2U); ++count) answer(datagram);
  if (choices_.chance(plan_.close_rate)) {
    if (choices_.draw(2) == 0) throw std::runtime_error("a whim");
    return Action::close;  // Which means nothing, unless there is a session.
  }
  return Action::none;
}

// Found by its bytes, as many of them as came; not more often than it was sent, and the network doubled any.
void DatagramCrowd::note_arrival(std::uint16_t from, std::uint16_t to, std::string_view bytes,
                                 std::size_t size) {
  bytes_ += bytes.size();
  const std::uint64_t doubled = world_.kernel().faults().count(kernel::sim::Fault::datagram_doubled);
  Sent* found = nullptr;
  for (Sent& sent : sent_) {
    if (sent.from != from || sent.to != to || sent.bytes.size() != size) continue;
    if (std::string_view{sent.bytes}.substr(0, bytes.size()) != bytes) continue;
    if (found == nullptr || sent.arrivals < found->arrivals) found = &sent;
  }
  if (found == nullptr) {
    return violate(fmt::format("a datagram of {} bytes from {} to {} that nobody sent", size, from, to));
  }
  // Cut to less than that, the beginning of another one may look the same.
  if (bytes.size() < unique_size) {
    ++found->arrivals;
    return;
  }
  if (found->failed) violate("a datagram arrived that was answered with an error");
  if (found->arrivals++ > doubled) violate("a datagram arrived more often than the network had it");
}

void DatagramCrowd::check_loop(Datagram& datagram) {
  const std::pair key{datagram.remote_address().port, datagram.local_address().port};
  const auto [home, is_new] = homes_.emplace(key, datagram.socket().loop());
  if (!is_new && !(home->second == datagram.socket().loop())) {
    violate("datagrams of one peer came on two loops");
  }
}

void DatagramCrowd::check_peers() {
  for (sim::SimDatagramPeer& peer : world_.datagram_peers()) {
    for (const kernel::sim::Packet& packet : std::exchange(peer.received(), {})) {
      note_arrival(packet.from, peer.port(), packet.bytes, packet.bytes.size());
    }
  }
}

void DatagramCrowd::check_quiet(bool stopping) {
  const bool waits = std::any_of(ports_.begin(), ports_.end(), [this](std::uint16_t port) {
    return world_.kernel().datagrams().queued(port) > 0;
  });
  if (stopping || !waits) {
    waiting_since_ = 0;
    return;
  }
  const kernel::Nanoseconds now = world_.kernel().now();
  if (waiting_since_ == 0 || told_ != told_then_) waiting_since_ = now;  // Others may have come meanwhile.
  told_then_ = told_;
  const bool for_ever = world_.kernel().next_timeout() == UINT64_MAX;
  // A receive that failed pauses; after that it must go on.
  if (for_ever || now - waiting_since_ > patience_in_quiet) {
    violate("everything sleeps though a datagram waits, with " + world_.kernel().describe_all());
  }
}

void DatagramCrowd::check_end() {
  check_peers();
  if (!sessions_.empty()) violate(fmt::format("{} sessions were never closed", sessions_.size()));
  if (promised_ != kept_) violate(fmt::format("{} send callbacks of {} were called", kept_, promised_));
  const DatagramCounts counts = engine_->datagrams();
  if (counts.received != told_ || counts.truncated != cut_) {
    violate(fmt::format("{} datagrams received, {} cut, counted {} and {}", told_, cut_, counts.received,
                        counts.truncated));
  }
  std::uint64_t taken = 0;
  for (const std::uint16_t port : ports_) taken += world_.kernel().datagrams().sent(port);
  if (counts.sent != taken) {
    violate(fmt::format("{} datagrams counted as sent, the kernel took {}", counts.sent, taken));
  }
  const std::uint64_t sent = queued_ + promised_ - refused_;
  // An errno of the kernel may look like an answer of ours.
  if (counts.sent + counts.failed < sent || counts.sent + counts.failed > queued_ + promised_) {
    violate(fmt::format("{} datagrams were queued, {} sent and {} failed", sent, counts.sent, counts.failed));
  }
}

}  // namespace ringwire::test
