// What a stream and its connection share: the operations that wait, and how the connection ended.
//
// Owns nothing but the waiting operations; the connection belongs to its loop, the core to whoever counts it
// (stream, connection, cancellation slot). Invariant: loop thread only, so the count is a plain integer; each
// operation is finished exactly once, and never from within the call that started it.
#pragma once

#include <ringwire/asio/loop_work.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/conn.hpp>
#include <ringwire/handler.hpp>

#include <boost/asio/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

namespace ringwire::asio::detail {

/// A read or a write that was started, and its result.
class Operation : public Runnable {
 public:
  boost::system::error_code error;  ///< Empty, or why it failed.
  std::size_t size = 0;             ///< Bytes read or written.

 protected:
  using Runnable::Runnable;
  ~Operation() = default;
};

/// A read: where its bytes go.
class ReadOperation : public Operation {
 public:
  /// Buffers beyond these are not filled: a read may be short.
  static constexpr std::size_t targets_max = 8;

  std::array<std::span<std::byte>, targets_max> targets;  ///< None of them empty.
  std::size_t targets_count = 0;                          ///< How many are used.

 protected:
  using Operation::Operation;
  ~ReadOperation() = default;
};

/// A write: what it sends. The bytes are copied when it starts.
class WriteOperation : public Operation {
 public:
  /// Buffers beyond these are not sent: a write may be short.
  static constexpr std::size_t sources_max = 16;

 protected:
  using Operation::Operation;
  ~WriteOperation() = default;
};

/// The state shared by a `stream` and its `Conn`; outlives whichever goes first.
class Core {
 public:
  /// For one connection, on its loop's thread.
  explicit Core(Conn& conn);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() = default;

  /// The queue of the loop.
  [[nodiscard]] LoopWork& work() const noexcept { return work_; }
  /// The connection; nullptr after `on_close`.
  [[nodiscard]] Conn* conn() const noexcept { return conn_; }
  /// True while reads and writes can succeed.
  [[nodiscard]] bool is_open() const noexcept { return conn_ != nullptr && !closed_; }

  /// Takes over `read`, and finishes it now or when bytes arrive. True when it waits.
  bool start_read(ReadOperation& read);
  /// Takes over `write`; `sources` are copied now. True when it waits for room.
  bool start_write(WriteOperation& write, std::span<const Bytes> sources);
  /// Finishes the operation with operation_aborted if it still waits.
  void cancel(Operation& operation);
  /// The same for whatever waits.
  void cancel_all();

  /// Closes after what was written; operations end with operation_aborted. Twice is harmless.
  void close();
  /// The same with a reset.
  void abort();
  /// FIN after what was written; reading goes on.
  void shutdown_write();
  /// An exception left the completion handler of an operation that finished outside the connection's own
  /// events: resets the connection, as the loop does for those inside.
  void handler_failed() noexcept;
  /// Replaces what `on_drain` calls; empty: close.
  void set_drain(Function<void()> callback) { drain_ = std::move(callback); }

  /// The connection's events; `stream_handler` forwards them.
  void on_traffic();
  /// As above.
  void on_eof();
  /// As above.
  void on_writable();
  /// As above.
  [[nodiscard]] Action on_drain();
  /// As above.
  void on_close(std::error_code reason);

 private:
  friend class CoreRef;

  void fill(ReadOperation& read);
  boost::system::error_code take(WriteOperation& write, std::span<const Bytes> sources,
                                 bool& above_high_mark);
  void finish_later(Operation& operation, boost::system::error_code error);

  LoopWork& work_;
  Conn* conn_;
  ReadOperation* read_ = nullptr;    // Waits for bytes.
  WriteOperation* write_ = nullptr;  // Waits for `on_writable`; its bytes are queued already.
  Function<void()> drain_;
  boost::system::error_code reason_;  // Set with conn_ == nullptr.
  std::uint32_t refs_ = 0;
  bool closed_ = false;  // By our side; the connection may still be flushing.
  bool eof_ = false;
  bool write_shut_ = false;
};

/// Counts a Core. Copy and destroy it on the loop's thread, or when the engine has ended.
class CoreRef {
 public:
  /// Counts nothing.
  CoreRef() noexcept = default;
  /// Counts `core`.
  explicit CoreRef(Core& core) noexcept : core_(&core) { ++core_->refs_; }
  /// Makes a core for `conn`.
  [[nodiscard]] static CoreRef make(Conn& conn) { return CoreRef(*std::make_unique<Core>(conn).release()); }
  CoreRef(const CoreRef& other) noexcept : core_(other.core_) {
    if (core_ != nullptr) ++core_->refs_;
  }
  CoreRef(CoreRef&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  CoreRef& operator=(CoreRef other) noexcept {
    std::swap(core_, other.core_);
    return *this;
  }
  ~CoreRef() {
    if (core_ != nullptr && --core_->refs_ == 0) destroy();
  }

  /// The core. There must be one.
  Core* operator->() const noexcept { return core_; }
  /// The core. There must be one.
  Core& operator*() const noexcept { return *core_; }
  /// True when there is one.
  explicit operator bool() const noexcept { return core_ != nullptr; }

 private:
  void destroy() noexcept;

  Core* core_ = nullptr;
};

/// Ties a core to its connection, as the connection's context.
struct Attachment {
  CoreRef core;  ///< Never empty.
};

}  // namespace ringwire::asio::detail
