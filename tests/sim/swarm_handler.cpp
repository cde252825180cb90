// The handler of a swarm: every call of the public face, in any order the contract allows, and what it must
// be told.
#include <ringwire/error.hpp>

#include "lib/net/address.hpp"

#include "tests/sim/swarm.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace ringwire::test {

Action Swarm::on_boot(Engine& engine) {
  engine_ = &engine;
  crowd_.meet(engine);
  return Action::none;
}

Action Swarm::on_open(Conn& conn) {
  Link& link = link_of(conn);
  if (link.opened) violate("on_open came twice");
  link.opened = true;
  link.opened_at = world_.kernel().now();
  while (!(engine_->loop(link.loop) == conn.loop())) ++link.loop;
  link.ref = conn.ref();
  link.conn = &conn;
  conn.emplace_context<std::size_t>(link.peer);
  if (world_.peers()[link.peer].side() == 0) link.client = conn.remote_address();
  link.host = net::host_of(link.client);
  check_crowd(link);
  check_loop(link);
  ++outcome_.connections;
  link.may_time_out = plan_.times_out();
  return react_open(conn, link);
}

Action Swarm::on_traffic(Conn& conn) {
  Link& link = link_of(conn);
  if (!link.opened || link.closed) violate("on_traffic outside of a connection's life");
  if (link.closing) violate("on_traffic after the handler closed");
  if (link.paused) violate("on_traffic while paused");
  if (conn.context<std::size_t>() == nullptr || *conn.context<std::size_t>() != link.peer)
    violate("a context was lost");
  check_limits(conn);
  return react_traffic(conn, link);
}

Action Swarm::on_datagram(Datagram& datagram) {
  return crowd_.on_datagram(datagram, stop_asked_);
}

Action Swarm::on_eof(Conn& conn) {
  Link& link = link_of(conn);
  if (link.eof) violate("on_eof came twice");
  if (link.closed) violate("on_eof after on_close");
  if (link.paused) violate("on_eof while paused");
  link.eof = true;
  const sim::SimPeer& peer = world_.peers()[link.peer];
  const std::size_t got = link.expected + conn.inbound_size();
  if (got != peer.sent_size()) {
    violate(fmt::format("on_eof after {} of {} bytes", got, peer.sent_size()));
  }
  return react_eof(conn, link);
}

Action Swarm::on_writable(Conn& conn) {
  Link& link = link_of(conn);
  const bool above = std::exchange(link.above, false);
  if (!above && !std::exchange(link.was_refused, false) && !link.outside)
    violate("on_writable without a write above the mark, or refused");
  if (conn.outbound_size() > plan_.options.outbound_low_mark) violate("on_writable above the low mark");
  return react_writable(conn, link);
}

Action Swarm::on_drain(Conn& conn) {
  Link& link = link_of(conn);
  check_turn(link);
  return react_drain(conn, link);
}

Action Swarm::on_close(Conn& conn, std::error_code reason) {
  Link& link = link_of(conn);
  if (!link.opened) violate("on_close without on_open");
  if (link.closed) violate("on_close came twice");
  link.closed = true;
  link.conn = nullptr;
  link.reason = reason;
  link.unsent = conn.outbound_size();
  if (reason == Error::outbound_limit && plan_.options.outbound_policy != OutboundPolicy::close)
    violate("a connection was closed for its limit, and nobody asked for that");
  const bool asked = link.closing || link.close_asked;
  if (reason == Error::end_of_stream && !link.eof && !asked)
    violate("a connection was closed for the peer's end, of which the handler was not told");
  ++closed_count_;
  check_cut_off(link);
  expect(link, conn.peek());  // Unread bytes can still be looked at.
  if (conn.write("late") != Written::refused) violate("a write inside on_close was taken");
  // Perhaps the last letter of this loop, or the last work of this engine: then nobody reads it, or does it,
  // and it is answered.
  const std::uint32_t last = choices_.draw(8);
  if (last == 1) {
    ++posted_;
    link.ref.post([this](Conn*) { ++posts_run_; });
  } else if (last == 2) {
    offload(link);
  }
  return Action::none;
}

Tick Swarm::on_tick() {
  return {std::chrono::milliseconds{1 + choices_.draw(30)}};
}

void Swarm::on_shutdown(Engine& engine) {
  shut_down_ = true;
  if (engine.connections_count() != 0) violate("on_shutdown before every connection was closed");
  check_drain_counts(engine);
  check_metrics(engine);
}

// ---- whims

Action Swarm::react_open(Conn& conn, Link& link) {
  link.outside = choices_.draw(4) == 1;
  link.lazy = choices_.draw(6) == 1;
  if (choices_.draw(4) == 1) write(conn, link);
  return whim(conn, link);
}

Action Swarm::react_traffic(Conn& conn, Link& link) {
  take(conn, link);
  pause_or_resume(conn, link);
  if (choices_.draw(2) == 0) write(conn, link);
  if (choices_.draw(16) == 1) alarms_.act(conn.loop());
  if (choices_.draw(4) == 1) offload(link);
  return whim(conn, link);
}

Action Swarm::react_eof(Conn& conn, Link& link) {
  if (calm_ || choices_.draw(2) == 0) {
    link.closing = true;
    return Action::close;
  }
  if (choices_.draw(2) == 0) write(conn, link);
  return Action::none;
}

Action Swarm::react_writable(Conn& conn, Link& link) {
  if (choices_.draw(2) == 0) write(conn, link);
  pause_or_resume(conn, link);
  return whim(conn, link);
}

Action Swarm::react_drain(Conn& conn, Link& link) {
  if (choices_.draw(4) == 1) return whim(conn, link);
  link.closing = true;
  return Action::close;
}

void Swarm::take(Conn& conn, Link& link) {
  const std::size_t size = conn.inbound_size();
  if (link.lazy && !calm_) return;
  if (choices_.chance(plan_.take_rate)) return keep(link, conn.take());
  switch (choices_.draw(8)) {
    case 0:
      return expect(link, conn.next());
    case 6:
      return keep(link, conn.take());
    case 7: {
      if (conn.take(size + 1)) return violate("take answered more than there was");
      auto taken = conn.take(choices_.draw(static_cast<std::uint32_t>(size) + 1));
      if (!taken) return violate("take answered nothing though there were enough bytes");
      return keep(link, std::move(*taken));
    }
    case 1: {
      std::array<std::byte, 50> target;
      const std::size_t count = conn.read(target);
      return expect(link, std::span{target}.first(count));
    }
    case 2: {
      const std::size_t part = choices_.draw(static_cast<std::uint32_t>(size) + 1);
      const auto bytes = conn.next(part);
      if (!bytes) return violate("next answered nothing though there were enough bytes");
      return expect(link, *bytes);
    }
    case 3: {
      if (conn.next(size + 1)) return violate("next answered more than there was");
      const std::size_t part = choices_.draw(static_cast<std::uint32_t>(size) + 1);
      const Bytes bytes = conn.peek().first(part);
      expect(link, bytes);
      if (conn.discard(part) != part) violate("discard dropped something else than it was told");
      return;
    }
    case 4:
      if (plan_.options.inbound_limit != 0 && size >= plan_.options.inbound_limit)
        return expect(link, conn.next());
      return;  // Left for later.
    default:
      while (const auto bytes = conn.next(7)) expect(link, *bytes);
  }
}

void Swarm::pause_or_resume(Conn& conn, Link& link) {
  if (conn.is_paused() != link.paused) violate("is_paused says something else than was asked for");
  if (link.paused ? choices_.draw(2) == 0 : choices_.chance(plan_.pause_rate)) {
    link.paused = !link.paused;
    link.paused ? conn.pause() : conn.resume();
    // The peer's FIN may be held back while ours has gone.
    if (link.paused && choices_.draw(3) == 1) conn.shutdown_write();
  }
  if (calm_ && std::exchange(link.paused, false)) conn.resume();
}

void Swarm::expect(Link& link, Bytes bytes) {
  if (to_text(bytes) != bytes_of(link.peer, true, link.expected, bytes.size())) {
    violate(fmt::format("the handler got other bytes than were sent, from {} on", link.expected));
  }
  link.expected += bytes.size();
  outcome_.bytes += bytes.size();
}

void Swarm::write(Conn& conn, Link& link) {
  if (link.outside) return;
  const std::size_t size = choices_.draw(plan_.write_max);
  if (choices_.draw(4) == 1) return write_buffer(conn, link, size);
  write_size(conn, link, size, choices_.draw(3) == 1);
}

Written Swarm::write_to(Conn& conn, std::span<const Bytes> parts) {
  return parts.size() == 1 ? conn.write(parts.front()) : conn.writev(parts);
}

void Swarm::write_size(Conn& conn, Link& link, std::size_t size, bool in_parts) {
  const std::string bytes = bytes_of(link.peer, false, link.written, size);
  const std::size_t cut = in_parts ? size / 3 : 0;
  const std::array parts{to_bytes(std::string_view{bytes}.substr(0, cut)), Bytes{},
                         to_bytes(std::string_view{bytes}.substr(cut))};
  const Written answer = write_to(conn, in_parts ? std::span{parts} : std::span{parts}.last(1));
  note_written(link, answer, size);
  if (answer == Written::queued && conn.outbound_size() > plan_.options.outbound_high_mark) {
    violate("a write above the high mark was answered as if it were below");
  }
  check_limits(conn);
}

void Swarm::write_buffer(Conn& conn, Link& link, std::size_t size) {
  const Buffer buffer{bytes_of(link.peer, false, link.written, size)};
  const Written answer = conn.write(buffer);
  note_written(link, answer, size);
  if (answer == Written::queued && conn.outbound_size() > plan_.options.outbound_high_mark) {
    violate("a buffer above the high mark was answered as if it were below");
  }
  check_limits(conn);
}

// Checked at once, and again when it is dropped: nobody may write where it shows.
void Swarm::keep(Link& link, Buffer buffer) {
  const std::size_t begin = link.expected;
  expect(link, buffer.bytes());
  kept_buffers_.push_back({link.peer, begin, std::move(buffer)});
  if (kept_buffers_.size() > 1 + choices_.draw(8)) drop_oldest();
}

void Swarm::drop_oldest() {
  const Kept& oldest = kept_buffers_.front();
  if (oldest.buffer.text() != bytes_of(oldest.peer, true, oldest.begin, oldest.buffer.size())) {
    violate(fmt::format("a buffer of client {} changed while it was kept", oldest.peer));
  }
  kept_buffers_.pop_front();
}

// What sockets are told makes no difference here, but for a linger of nothing, which gives bytes up.
void Swarm::set_options(Conn& conn, Link& link) {
  switch (choices_.draw(3)) {
    case 0:
      static_cast<void>(conn.set_no_delay(false));
      return;
    case 1:
      if (conn.set_linger(std::chrono::seconds{0})) violate("a linger of nothing was refused");
      link.aborted = true;
      return;
    default:
      conn.flush();
  }
}

// One connection gets a sixteenth at most, whatever the others have.
void Swarm::check_budget(Conn& conn) {
  const std::size_t budget = plan_.options.send_budget;
  if (budget == 0 || conn.outbound_size() <= budget / 16) return;
  violate(fmt::format("{} bytes wait for one client, the budget is {}", conn.outbound_size(), budget));
}

void Swarm::note_written(Link& link, Written answer, std::size_t size) {
  if (answer == Written::refused) {
    link.was_refused = true;
    return;
  }
  link.written += size;
  if (answer == Written::above_high_mark) link.above = true;
}

Action Swarm::whim(Conn& conn, Link& link) {
  if (!choices_.chance(calm_ ? 0 : plan_.close_rate)) return Action::none;
  switch (choices_.draw(7)) {
    case 6:
      set_options(conn, link);
      return Action::none;
    case 0:
      link.closing = true;
      return Action::close;
    case 1:
      link.closing = true;
      conn.close();
      conn.close();
      return Action::none;
    case 2:
      link.closing = link.aborted = true;
      conn.abort();
      return Action::none;
    case 3:
      conn.shutdown_write();
      return Action::none;
    case 4: {
      link.may_time_out = true;
      const std::chrono::milliseconds time{choices_.draw(40)};
      switch (choices_.draw(4)) {
        case 0:
          conn.set_idle_timeout(time);
          break;
        case 1:
          conn.set_read_timeout(time);
          break;
        case 2:
          conn.set_write_timeout(time);
          break;
        default:
          conn.set_lifetime(time);
      }
      return Action::none;
    }
    default:
      link.closing = true;
      throw std::runtime_error("a whim");
  }
}

void Swarm::check_limits(Conn& conn) {
  const Options& options = plan_.options;
  if (options.outbound_limit != 0 && conn.outbound_size() > options.outbound_limit) {
    violate(fmt::format("{} bytes outbound, the limit is {}", conn.outbound_size(), options.outbound_limit));
  }
  check_budget(conn);
  // What one armed receive may still bring when the limit is reached, twice when its cancel comes late.
  const std::size_t more = 2 * (options.recv_buffers_count + 1) * options.recv_buffer_size +
                           2 * options.large_recv_buffers_count * options.large_recv_buffer_size;
  if (options.inbound_limit != 0 && conn.inbound_size() > options.inbound_limit + more) {
    violate(fmt::format("{} bytes inbound, the limit is {} and {}", conn.inbound_size(),
                        options.inbound_limit, more));
  }
}

}  // namespace ringwire::test
