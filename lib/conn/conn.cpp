// The public face of a connection. User code calls back through this file only.
//
// Nothing here touches the ring: bytes are queued, the connection is marked due, and the lap's flush does the
// rest.
#include <ringwire/conn.hpp>
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/base/error.hpp"
#include "lib/conn/connection.hpp"
#include "lib/net/socket.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace ringwire {
namespace {

// A Conn is the base of a Connection and of nothing else: its constructor is protected.
conn::Connection& self(Conn& conn) noexcept {
  return static_cast<conn::Connection&>(conn);
}
const conn::Connection& self(const Conn& conn) noexcept {
  return static_cast<const conn::Connection&>(conn);
}

}  // namespace

namespace conn {

template <typename Append>
Written Connection::queue(std::size_t size, Append&& append) {
  if (!takes_writes()) return Written::refused;
  if (size == 0) return above_high_mark_ ? Written::above_high_mark : Written::queued;
  if (!fits(size)) {
    if (shared_.options.outbound_policy == OutboundPolicy::close) abandon(Error::outbound_limit);
    if (!outbound_.empty()) above_high_mark_ = true;  // So that `on_writable` says when to try again.
    return Written::refused;
  }
  if (rare_ != nullptr && outbound_.empty()) rare_->taken_at = shared_.now;
  try {
    append();
  } catch (const std::bad_alloc&) {
    fail_without_memory();
    return Written::refused;
  }
  mark_due();
  if (outbound_.size() > shared_.options.outbound_high_mark) above_high_mark_ = true;
  return above_high_mark_ ? Written::above_high_mark : Written::queued;
}

}  // namespace conn

// ---- inbound

std::size_t Conn::inbound_size() const noexcept {
  return self(*this).inbound_.size();
}

Bytes Conn::peek() {
  conn::Connection& conn = self(*this);
  return conn.inbound_.view(conn.shared_.pools);
}

std::optional<Bytes> Conn::peek(std::size_t size) {
  const Bytes all = peek();
  if (all.size() < size) return std::nullopt;
  return all.first(size);
}

Bytes Conn::next() {
  const Bytes all = peek();
  discard(all.size());
  return all;
}

std::optional<Bytes> Conn::next(std::size_t size) {
  const std::optional<Bytes> first = peek(size);
  if (first) discard(size);
  return first;
}

std::size_t Conn::discard(std::size_t size) {
  conn::Connection& conn = self(*this);
  const std::size_t count = std::min(size, conn.inbound_.size());
  const bool was_full = conn.is_inbound_full();
  conn.inbound_.discard(count);
  conn.note_room(was_full);
  return count;
}

std::size_t Conn::read(std::span<std::byte> target) {
  const Bytes all = peek();
  const std::size_t count = std::min(all.size(), target.size());
  if (count != 0) std::memcpy(target.data(), all.data(), count);
  return discard(count);
}

Buffer Conn::take() {
  return *take(inbound_size());
}

std::optional<Buffer> Conn::take(std::size_t size) {
  conn::Connection& conn = self(*this);
  if (size > conn.inbound_.size()) return std::nullopt;
  const bool was_full = conn.is_inbound_full();
  std::optional<Buffer> taken{conn.inbound_.take(conn.shared_.pools, size)};
  conn.note_room(was_full);
  return taken;
}

// ---- outbound

Written Conn::write(Bytes bytes) {
  return writev({&bytes, 1});
}

Written Conn::writev(std::span<const Bytes> parts) {
  conn::Connection& conn = self(*this);
  std::size_t size = 0;
  for (const Bytes part : parts) size += part.size();
  // What was received here need not be copied to be sent from here.
  return conn.queue(size, [&] {
    for (const Bytes part : parts) {
      const Buffer shared =
          part.size() >= conn::Outbound::copied_below ? conn.shared_.pools.share(part) : Buffer{};
      if (shared.empty()) {
        conn.outbound_.append(conn.shared_.chunks, {&part, 1});
      } else {
        conn.outbound_.borrow(conn.shared_.chunks, shared);
      }
    }
  });
}

Written Conn::write(const Buffer& buffer) {
  conn::Connection& conn = self(*this);
  return conn.queue(buffer.size(), [&] { conn.outbound_.borrow(conn.shared_.chunks, buffer); });
}

void Conn::flush() {
  self(*this).mark_due();
}

std::size_t Conn::outbound_size() const noexcept {
  return self(*this).outbound_.size();
}

// ---- flow

void Conn::pause() {
  conn::Connection& conn = self(*this);
  if (conn.paused_) return;
  conn.paused_ = true;
  conn.mark_due();  // The flush cancels the receive.
}

void Conn::resume() {
  conn::Connection& conn = self(*this);
  if (!conn.paused_) return;
  conn.paused_ = false;
  conn.resumed_ = true;
  conn.note_receiving();
  conn.mark_due();  // The flush arms the receive, and tells what was held back.
}

bool Conn::is_paused() const noexcept {
  return self(*this).paused_;
}

// ---- life

void Conn::close() {
  conn::Connection& conn = self(*this);
  conn.begin_close(conn.eof_ ? make_error_code(Error::end_of_stream) : std::error_code{});
}

void Conn::abort() {
  self(*this).abandon({});
}

void Conn::shutdown_write() {
  conn::Connection& conn = self(*this);
  if (conn.state_ != conn::Connection::State::open) return;
  conn.fin_wanted_ = true;
  conn.mark_due();
}

void Conn::set_idle_timeout(std::chrono::milliseconds timeout) {
  RINGWIRE_REQUIRE(timeout.count() >= 0, "idle timeout {} ms", timeout.count());
  conn::Connection& conn = self(*this);
  conn.rare().idle_timeout = timeout;
  conn.active_at_ = conn.shared_.now;
  conn.mark_due();  // The flush moves the timer.
}

void Conn::set_read_timeout(std::chrono::milliseconds timeout) {
  RINGWIRE_REQUIRE(timeout.count() >= 0, "read timeout {} ms", timeout.count());
  conn::Connection& conn = self(*this);
  conn.rare().read_timeout = timeout;
  conn.note_receiving();
  conn.mark_due();
}

void Conn::set_write_timeout(std::chrono::milliseconds timeout) {
  RINGWIRE_REQUIRE(timeout.count() >= 0, "write timeout {} ms", timeout.count());
  conn::Connection& conn = self(*this);
  conn.rare().write_timeout = timeout;
  conn.rare().taken_at = conn.shared_.now;
  conn.mark_due();
}

void Conn::set_lifetime(std::chrono::milliseconds time) {
  RINGWIRE_REQUIRE(time.count() >= 0, "lifetime {} ms", time.count());
  conn::Connection& conn = self(*this);
  conn.rare().lifetime = time;
  conn.mark_due();
}

// ---- the socket

std::error_code Conn::set_no_delay(bool on) {
  const conn::Connection& conn = self(*this);
  return net::set_no_delay(conn.shared_.kernel, conn.fd_, on);
}

std::error_code Conn::set_keepalive(std::chrono::seconds idle, std::chrono::seconds interval, int count) {
  const conn::Connection& conn = self(*this);
  return net::set_keepalive(conn.shared_.kernel, conn.fd_, idle, interval, count);
}

std::error_code Conn::set_linger(std::optional<std::chrono::seconds> wait) {
  if (wait && wait->count() < 0) return std::make_error_code(std::errc::invalid_argument);
  conn::Connection& conn = self(*this);
  if (!wait && conn.rare_ == nullptr) return {};
  conn.rare().close_timeout =
      wait ? std::optional{std::min(*wait, std::chrono::floor<std::chrono::seconds>(base::duration_max))}
           : std::nullopt;
  return {};
}

std::error_code Conn::set_recv_buffer_size(std::size_t size) {
  const conn::Connection& conn = self(*this);
  return net::set_recv_buffer_size(conn.shared_.kernel, conn.fd_, size);
}

std::error_code Conn::set_send_buffer_size(std::size_t size) {
  const conn::Connection& conn = self(*this);
  return net::set_send_buffer_size(conn.shared_.kernel, conn.fd_, size);
}

std::error_code Conn::dup(int& descriptor) const {
  const conn::Connection& conn = self(*this);
  const int result = conn.shared_.kernel.duplicate(conn.fd_);
  if (result < 0) return base::to_error(result);
  descriptor = result;
  return {};
}

// ---- who and where

Address Conn::local_address() const {
  const conn::Connection& conn = self(*this);
  return net::local_address(conn.shared_.kernel, conn.fd_);
}

Address Conn::remote_address() const {
  const conn::Connection& conn = self(*this);
  return net::remote_address(conn.shared_.kernel, conn.fd_);
}

std::optional<PeerCredentials> Conn::peer_credentials() const {
  const conn::Connection& conn = self(*this);
  return net::peer_credentials(conn.shared_.kernel, conn.fd_);
}

int Conn::fd() const noexcept {
  return self(*this).fd_;
}

ConnRef Conn::ref() const {
  const conn::Connection& conn = self(*this);
  return {conn.shared_.loop, conn.slot_, conn.generation_};
}

LoopRef Conn::loop() const {
  return self(*this).shared_.loop;
}

std::chrono::steady_clock::time_point Conn::now() const noexcept {
  return std::chrono::steady_clock::time_point{std::chrono::nanoseconds{self(*this).shared_.now}};
}

Context& Conn::owned() noexcept {
  return self(*this).context_;
}

const Context& Conn::owned() const noexcept {
  return self(*this).context_;
}

}  // namespace ringwire
