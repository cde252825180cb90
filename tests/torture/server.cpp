// Echoing, streaming, whims; and the rules a handler can see.
#include "tests/torture/server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace ringwire::torture {
namespace {

using namespace std::chrono_literals;

constexpr unsigned whim_rate = 80;     // One event in so many brings one.
constexpr unsigned chunk_max = 3'000;  // Of a stream, at once. Marks plus this stay below outbound_limit.
constexpr unsigned stream_max = 60'000;
constexpr std::chrono::milliseconds close_timeout{250};
constexpr std::size_t mark_high = 4'096;

}  // namespace

Options tiny_options() {
  Options options;
  options.loops = 2;
  options.pin_loops = false;
  options.close_timeout = close_timeout;
  options.connections_max = 24;
  options.inbound_limit = 2'048;
  options.outbound_high_mark = mark_high;
  options.outbound_low_mark = 1'024;
  options.outbound_limit = 16'384;
  options.backlog = 64;
  options.recv_buffers_count = 2;
  options.recv_buffer_size = 512;
  options.sq_entries = 16;
  options.cq_entries = 64;
  options.log_level = LogLevel::debug;
  return options;
}

// What the handler knows of one connection.
struct Server::Session {
  explicit Session(Server& server_) : server{server_} {}
  ~Session() {
    if (!closed) server.table_.violate("a connection ended without on_close");
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Server& server;
  std::shared_ptr<Link> link;  // Once the name has come.
  std::uint64_t expected = 0;  // Bytes checked.
  std::uint64_t written = 0;   // Bytes taken by write.
  std::uint64_t total = 0;     // Of a stream.
  std::chrono::steady_clock::time_point closed_at;
  bool above = false;  // Waits for on_writable.
  bool eof = false;
  bool silent = false;  // Half-closed: writes are refused.
  bool failed = false;  // A write was refused without a cause that we know of.
  bool closing = false;
  bool aborted = false;
  bool closed = false;
};

Server::Server(Table& table, std::uint64_t seed, bool whims) : table_{table}, seed_{seed}, whims_{whims} {}

// A number below `end`, from a sequence of each loop's own.
unsigned Server::any(unsigned end) {
  thread_local std::minstd_rand random{static_cast<unsigned>(seed_ * 31 + ++threads_)};
  return static_cast<unsigned>(random()) % end;
}

Action Server::on_boot(Engine& engine) {
  booted.set_value(&engine);
  return Action::none;
}

Action Server::on_open(Conn& conn) {
  ++table_.figures.opened;
  if (conn.context<Session>() != nullptr) table_.violate("on_open came twice");
  Session& session = conn.emplace_context<Session>(*this);
  session.total = any(stream_max);
  return whim(conn, session);
}

Action Server::on_traffic(Conn& conn) {
  Session* session = session_of(conn, "on_traffic");
  if (session == nullptr) return Action::none;
  if (session->closing || session->aborted) table_.violate("on_traffic after the handler closed");
  work(conn, *session);
  const Action action = settle(conn, *session);
  return action == Action::none ? whim(conn, *session) : action;
}

Action Server::on_eof(Conn& conn) {
  Session* session = session_of(conn, "on_eof");
  if (session == nullptr) return Action::none;
  if (std::exchange(session->eof, true)) table_.violate("on_eof came twice");
  if (!learn_name(conn, *session)) return close(conn, *session);  // It left before its name was out.

  const std::uint64_t got = session->expected + conn.inbound_size();
  const std::uint64_t sent = session->link->sent;
  if (got != sent) table_.violate(fmt::format("on_eof after {} of {} bytes", got, sent));
  ++table_.figures.eofs_checked;
  work(conn, *session);
  return settle(conn, *session);
}

Action Server::on_writable(Conn& conn) {
  Session* session = session_of(conn, "on_writable");
  if (session == nullptr) return Action::none;
  if (!std::exchange(session->above, false)) table_.violate("on_writable without a write above the mark");
  work(conn, *session);
  const Action action = settle(conn, *session);
  return action == Action::none ? whim(conn, *session) : action;
}

// The engine is stopped when every client has left: nobody should be here.
Action Server::on_drain(Conn& conn) {
  Session* session = session_of(conn, "on_drain");
  if (session == nullptr) return Action::close;
  table_.violate(fmt::format(
      "a connection outlives its client: {} taken, {} of {} written, {} inbound, {} outbound{}{}{}",
      session->expected, session->written, session->total, conn.inbound_size(), conn.outbound_size(),
      session->above ? ", above the mark" : "", session->eof ? ", on_eof came" : "",
      session->silent ? ", half-closed" : ""));
  return close(conn, *session);
}

Action Server::on_close(Conn& conn, std::error_code reason) {
  ++table_.figures.closed;
  Session* session = session_of(conn, "on_close");
  if (session == nullptr) return Action::none;
  session->closed = true;
  if (conn.write("late") != Written::refused) table_.violate("a write inside on_close was taken");
  if (session->link == nullptr && !learn_name(conn, *session)) {
    ++table_.figures.ended_unnamed;
    return Action::none;
  }
  if (session->failed && (!reason || reason == Error::end_of_stream))
    table_.violate("a write below the limit was refused, and nothing had failed");
  // A handler that closes in the lap that brought the FIN is told so by the reason only.
  if (reason == Error::end_of_stream && !session->eof && !session->closing)
    table_.violate("end_of_stream without on_eof");
  check(*session, conn.peek());  // Unread bytes can still be looked at.
  const bool timed_out = session->closing && conn.now() - session->closed_at >= close_timeout;
  table_.end_server(*session->link, {reason, session->expected, conn.outbound_size(), timed_out});
  return Action::none;
}

void Server::on_shutdown(Engine& engine) {
  if (engine.connections_count() != 0) table_.violate("on_shutdown before every connection was closed");
}

Server::Session* Server::session_of(Conn& conn, std::string_view event) {
  Session* session = conn.context<Session>();
  if (session == nullptr) table_.violate(fmt::format("{} without on_open", event));
  if (session != nullptr && session->closed) table_.violate(fmt::format("{} after on_close", event));
  return session;
}

// The first bytes say whose connection this is. They stay where they are: they are echoed like all others.
bool Server::learn_name(Conn& conn, Session& session) {
  if (session.link != nullptr) return true;
  const auto bytes = conn.peek(name_size);
  if (!bytes) return false;
  std::uint64_t name = 0;
  std::memcpy(&name, bytes->data(), name_size);
  session.link = table_.find(name);
  if (session.link == nullptr) {
    table_.violate(fmt::format("a connection opens with bytes that are no name: {:016x}", name));
    return false;
  }
  if (session.link->named.exchange(true)) table_.violate("two connections have one name");
  // What was done before the name was known.
  session.link->closing = session.closing;
  session.link->aborted = session.aborted;
  return true;
}

void Server::check(Session& session, Bytes bytes) {
  const std::string_view text = to_text(bytes);
  if (!matches(std::span{text}, session.link->name, Direction::up, session.expected))
    table_.violate(fmt::format("the handler got other bytes than were sent, from {} on", session.expected));
  session.expected += bytes.size();
  table_.figures.bytes_up += bytes.size();
}

// ---- what it does with a connection

void Server::work(Conn& conn, Session& session) {
  if (session.closing || session.aborted || !learn_name(conn, session)) return;
  if (is_echo(session.link->name)) return echo(conn, session);
  check(session, conn.next());
  stream(conn, session);
}

// Sends back what came, in pieces, until the mark stops it. Sometimes it leaves a rest and wakes itself.
void Server::echo(Conn& conn, Session& session) {
  while (conn.inbound_size() > 0 && !session.above) {
    const std::size_t size = std::min<std::size_t>(conn.inbound_size(), 1 + any(1'500));
    const auto piece = conn.peek(size);
    if (!piece) return table_.violate("peek answered nothing though there were enough bytes");
    check(session, *piece);
    write(conn, session, *piece);
    if (conn.discard(size) != size) table_.violate("discard dropped something else than it was told");
    if (any(16) == 0) return conn.ref().wake();
  }
}

void Server::stream(Conn& conn, Session& session) {
  std::array<char, chunk_max> chunk;
  while (session.written < session.total && !session.above && !session.silent) {
    const std::size_t size = std::min<std::size_t>(session.total - session.written, 1 + any(chunk_max));
    fill(std::span{chunk}.first(size), session.link->name, Direction::down, session.written);
    write(conn, session, to_bytes({chunk.data(), size}));
  }
}

void Server::write(Conn& conn, Session& session, Bytes bytes) {
  const Written answer = conn.write(bytes);
  if (answer == Written::refused) {
    session.failed = session.failed || !session.silent;
    session.silent = true;
    return;
  }
  if (session.silent) table_.violate("a write after shutdown_write was taken");
  session.written += bytes.size();
  session.link->written = session.written;
  if (answer == Written::above_high_mark) {
    session.above = true;
    ++table_.figures.marks;
  } else if (conn.outbound_size() > mark_high) {
    table_.violate("a write above the high mark was answered as if it were below");
  }
}

void Server::half_close(Conn& conn, Session& session) {
  if (std::exchange(session.silent, true)) return;
  conn.shutdown_write();
  ++table_.figures.half_closes_by_server;
}

Action Server::close(Conn& conn, Session& session) {
  session.closing = true;
  session.closed_at = conn.now();
  if (session.link != nullptr) session.link->closing = true;
  return Action::close;
}

// Now and then, and at any event: leave in one of the ways there are.
Action Server::whim(Conn& conn, Session& session) {
  if (!whims_ || session.closing || session.aborted || any(whim_rate) != 0) return Action::none;
  switch (any(4)) {
    case 0:
      return close(conn, session);
    case 1:
      static_cast<void>(close(conn, session));
      conn.close();
      return Action::none;
    case 2:
      half_close(conn, session);
      return Action::none;
    default:
      session.aborted = true;
      if (session.link != nullptr) session.link->aborted = true;
      ++table_.figures.resets_by_server;
      conn.abort();
      return Action::none;
  }
}

// Done with a stream it half-closes, closes, or waits for the client; done with both directions it closes.
Action Server::settle(Conn& conn, Session& session) {
  if (session.link == nullptr || session.closing || session.aborted) return Action::none;
  const bool echoes = is_echo(session.link->name);
  const bool wrote_all =
      session.silent || (echoes ? conn.inbound_size() == 0 : session.written == session.total);
  if (session.eof) return wrote_all ? close(conn, session) : Action::none;
  if (!whims_ || echoes || !wrote_all || session.silent) return Action::none;
  switch (any(6)) {
    case 0:
      return close(conn, session);
    case 1:
      half_close(conn, session);
      return Action::none;
    default:
      return Action::none;
  }
}

}  // namespace ringwire::torture
