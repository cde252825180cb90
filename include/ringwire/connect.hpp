// Opening connections from our side: how long to try, who is told, and how to give up.
//
// Leaves to others: who begins (`LoopRef::connect`, `Engine::connect`, `Client::connect`).
#pragma once

#include <ringwire/loop_ref.hpp>

#include <chrono>
#include <cstdint>
#include <system_error>

namespace ringwire {

/// How a connection is opened.
struct ConnectOptions {
  /// Give up after this long with `std::errc::timed_out`; all addresses of a name together. 0 = when the
  /// kernel does, for TCP after about two minutes (tcp(7), tcp_syn_retries). Resolution: 1 ms. Not negative.
  std::chrono::milliseconds timeout{0};
};

/// A connect that was begun; what `connect` answers. A small value, safe on any thread at any time, also
/// after the engine ended. Dropping it changes nothing.
class [[nodiscard]] Connecting {
 public:
  /// For ringwire itself: begun as number `id` of that loop.
  Connecting(LoopRef loop, std::uint64_t id) noexcept : loop_{std::move(loop)}, id_{id} {}
  /// For ringwire itself: could not be begun.
  explicit Connecting(std::error_code error) noexcept : error_{error} {}

  /// Why it could not be begun (a bad address, a loop that has ended, a full mailbox); empty when it was.
  /// With an error here the callback is not called.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }

  /// Gives up: the callback is told `std::errc::operation_canceled` and no connection stays, unless it was
  /// told already. Any thread; twice is harmless. Answers why it could not be asked for: `Error::closed`, or
  /// EAGAIN when `Options::mailbox_max` wait.
  ///
  /// Example: `auto dial = loop.connect("tcp://10.0.0.9:80", {.timeout = 2s}, done); dial.cancel();`
  std::error_code cancel() const;

 private:
  LoopRef loop_;
  std::uint64_t id_ = 0;
  std::error_code error_;
};

}  // namespace ringwire
