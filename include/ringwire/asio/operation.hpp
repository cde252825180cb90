// An operation with the completion handler it will call.
//
// Owns the handler, and work on the handler's executor until it was called. Leaves when that happens to
// `Core`. Invariant: the memory comes from the handler's allocator and is given back before the call.
#pragma once

#include <ringwire/asio/core.hpp>
#include <ringwire/asio/executor.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace ringwire::asio::detail {

/// What an operation keeps about the executor its handler asked for: work on it, unless it is the stream's.
template <typename Executor>
class Completer {
 public:
  /// Keeps `target` busy unless it is the stream's own loop.
  Completer(const Executor& target, const executor& own) {
    if (!is_same_loop(target, own)) guard_.emplace(target);
  }

  /// Calls `handler` here when this is its place, else on its executor.
  template <typename Handler>
  void complete(Handler&& handler, boost::system::error_code error, std::size_t size) {
    if (!guard_) return std::forward<Handler>(handler)(error, size);
    net::dispatch(guard_->get_executor(), net::append(std::forward<Handler>(handler), error, size));
  }

 private:
  static bool is_same_loop(const Executor& target, const executor& own) {
    if constexpr (std::is_same_v<Executor, net::any_io_executor>) {
      // What a coroutine has by default. A loop's executor in it needs no detour either.
      const executor* inside = target.template target<executor>();
      return inside != nullptr && inside->same_loop(own);
    } else {
      return false;
    }
  }

  std::optional<net::executor_work_guard<Executor>> guard_;
};

/// The same for a loop's executor, which is the hot path: a loop needs nobody to keep it busy.
template <>
class Completer<executor> {
 public:
  /// Remembers `target`.
  Completer(const executor& target, const executor& own) noexcept
      : target_(target), is_here_(target.same_loop(own)) {}

  /// As above.
  template <typename Handler>
  void complete(Handler&& handler, boost::system::error_code error, std::size_t size) {
    if (is_here_) return std::forward<Handler>(handler)(error, size);
    target_.execute([handler = std::forward<Handler>(handler), error, size]() mutable {
      std::move(handler)(error, size);
    });
  }

 private:
  executor target_;
  bool is_here_;
};

/// Cancels one operation while it waits: what a cancellation slot holds.
template <typename Base>
class Canceller {
 public:
  /// For an operation that waits in `core`.
  Canceller(CoreRef core, Base& operation) noexcept : core_(std::move(core)), operation_(&operation) {}

  /// Called by the signal, on the loop's thread.
  void operator()(net::cancellation_type type) {
    constexpr bool is_write = std::is_same_v<Base, WriteOperation>;
    // A write that waits has queued its bytes; it cannot promise that nothing happened.
    constexpr auto heeded = is_write ? net::cancellation_type::terminal | net::cancellation_type::partial
                                     : net::cancellation_type::all;
    if ((type & heeded) != net::cancellation_type::none) core_->cancel(*operation_);
  }

 private:
  CoreRef core_;
  Base* operation_;
};

/// A ReadOperation or WriteOperation with its handler.
template <typename Base, typename Handler>
class HandlerOperation final : public Base {
  using Executor = net::associated_executor_t<Handler, executor>;
  using Allocator = typename std::allocator_traits<
      net::associated_allocator_t<Handler>>::template rebind_alloc<HandlerOperation>;
  using AllocatorTraits = std::allocator_traits<Allocator>;

 public:
  /// Use `make`.
  HandlerOperation(Handler&& handler, Core& core, const executor& own)
      : Base(&HandlerOperation::finish),
        core_(core),
        completer_(net::get_associated_executor(handler, own), own),
        handler_(std::move(handler)) {}
  ~HandlerOperation() = default;

  /// Makes one in memory of the handler's allocator. It frees itself when it finishes.
  [[nodiscard]] static HandlerOperation& make(Handler handler, Core& core, const executor& own) {
    Allocator allocator(net::get_associated_allocator(handler));
    Memory memory{allocator, AllocatorTraits::allocate(allocator, 1)};
    auto* made = ::new (static_cast<void*>(memory.place)) HandlerOperation(std::move(handler), core, own);
    memory.place = nullptr;
    return *made;
  }

  /// Lets the handler's cancellation slot, if it has one, cancel this operation. Call it while it waits.
  void arm_cancellation() {
    auto slot = net::get_associated_cancellation_slot(handler_);
    if (!slot.is_connected()) return;
    slot.template emplace<Canceller<Base>>(core_, static_cast<Base&>(*this));
    slot_armed_ = true;
  }

 private:
  struct Memory {
    Allocator& allocator;
    HandlerOperation* place;
    ~Memory() {
      if (place != nullptr) AllocatorTraits::deallocate(allocator, place, 1);
    }
  };

  static void finish(Runnable& runnable, bool run) {
    auto& self = static_cast<HandlerOperation&>(runnable);
    const boost::system::error_code error = self.error;
    const std::size_t size = self.size;
    if (self.slot_armed_) net::get_associated_cancellation_slot(self.handler_).clear();
    CoreRef core(std::move(self.core_));
    auto completer(std::move(self.completer_));
    Handler handler(std::move(self.handler_));
    {
      Allocator allocator(net::get_associated_allocator(handler));
      Memory memory{allocator, &self};
      self.~HandlerOperation();
    }
    if (!run) return;
    try {
      completer.complete(std::move(handler), error, size);
    } catch (...) {
      core->handler_failed();
      throw;
    }
  }

  CoreRef core_;
  Completer<Executor> completer_;
  Handler handler_;
  bool slot_armed_ = false;
};

/// Starts a read; it calls `handler` with an error code and a count, later.
template <typename Handler, typename Buffers>
void start_read(Core& core, const executor& own, Handler&& handler, const Buffers& buffers) {
  using Operation = HandlerOperation<ReadOperation, std::decay_t<Handler>>;
  auto& read = Operation::make(std::forward<Handler>(handler), core, own);
  const auto end = net::buffer_sequence_end(buffers);
  for (auto it = net::buffer_sequence_begin(buffers); it != end; ++it) {
    const net::mutable_buffer buffer(*it);
    if (buffer.size() == 0) continue;
    if (read.targets_count == ReadOperation::targets_max) break;
    read.targets[read.targets_count++] = {static_cast<std::byte*>(buffer.data()), buffer.size()};
  }
  if (core.start_read(read)) read.arm_cancellation();
}

/// Starts a write; it calls `handler` with an error code and a count, later.
template <typename Handler, typename Buffers>
void start_write(Core& core, const executor& own, Handler&& handler, const Buffers& buffers) {
  using Operation = HandlerOperation<WriteOperation, std::decay_t<Handler>>;
  std::array<Bytes, WriteOperation::sources_max> sources;
  std::size_t count = 0;
  const auto end = net::buffer_sequence_end(buffers);
  for (auto it = net::buffer_sequence_begin(buffers); it != end; ++it) {
    const net::const_buffer buffer(*it);
    if (buffer.size() == 0) continue;
    if (count == sources.size()) break;
    sources[count++] = Bytes{static_cast<const std::byte*>(buffer.data()), buffer.size()};
  }
  auto& write = Operation::make(std::forward<Handler>(handler), core, own);
  if (core.start_write(write, std::span(sources).first(count))) write.arm_cancellation();
}

}  // namespace ringwire::asio::detail
