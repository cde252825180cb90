// How reads and writes start, wait and finish over a connection.
//
// Leaves the handler's call to `operation.hpp` and its turn to `LoopWork`. Invariant: an operation waits in
// read_ or write_, or is queued, or is finished; taking it out of read_ or write_ comes first.
#include <ringwire/asio/core.hpp>
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>

namespace ringwire::asio::detail {

namespace {

using boost::system::error_code;

// One write_some takes at most this: what waits stays near the high mark, however long the message is.
constexpr std::size_t write_max = 256 << 10;
// Below this a refused write is not tried again with less.
constexpr std::size_t write_min = 4 << 10;

// The reason of on_close as Asio's users know it.
error_code translate(std::error_code reason) {
  if (!reason) return net::error::operation_aborted;
  if (reason == Error::end_of_stream) return net::error::eof;
  // errno values compare equal to boost::asio::error only in Boost's own category.
  if (reason.category() == std::system_category() || reason.category() == std::generic_category()) {
    return {reason.value(), boost::system::system_category()};
  }
  return error_code(reason);
}

// The first `size` bytes of `sources`, in place. Answers how many parts that is.
std::size_t cut(std::span<Bytes> sources, std::size_t size) {
  for (std::size_t index = 0; index < sources.size(); ++index) {
    if (sources[index].size() >= size) {
      sources[index] = sources[index].first(size);
      return index + 1;
    }
    size -= sources[index].size();
  }
  return sources.size();
}

std::size_t total(std::span<const Bytes> sources) {
  std::size_t size = 0;
  for (const Bytes& source : sources) size += source.size();
  return size;
}

}  // namespace

Core::Core(Conn& conn) : work_(LoopWork::of(conn.loop())), conn_(&conn) {}

void CoreRef::destroy() noexcept {
  const std::unique_ptr<Core> last(core_);
}

bool Core::start_read(ReadOperation& read) {
  RINGWIRE_REQUIRE(read_ == nullptr, "one read at a time");
  RINGWIRE_REQUIRE(conn_ == nullptr || work_.is_current(), "a stream belongs to its loop's thread");
  if (read.targets_count == 0) {
    finish_later(read, {});
  } else if (closed_) {
    finish_later(read, net::error::operation_aborted);
  } else if (conn_ == nullptr) {
    finish_later(read, reason_);
  } else if (conn_->inbound_size() != 0) {
    fill(read);
    finish_later(read, {});
  } else if (eof_) {
    finish_later(read, net::error::eof);
  } else {
    read_ = &read;
    return true;
  }
  return false;
}

bool Core::start_write(WriteOperation& write, std::span<const Bytes> sources) {
  RINGWIRE_REQUIRE(write_ == nullptr, "one write at a time");
  RINGWIRE_REQUIRE(conn_ == nullptr || work_.is_current(), "a stream belongs to its loop's thread");
  if (sources.empty()) {
    finish_later(write, {});
  } else if (closed_) {
    finish_later(write, net::error::operation_aborted);
  } else if (conn_ == nullptr) {
    finish_later(write, reason_);
  } else if (write_shut_) {
    finish_later(write, net::error::broken_pipe);
  } else {
    bool above_high_mark = false;
    const error_code error = take(write, sources, above_high_mark);
    if (!above_high_mark) {
      finish_later(write, error);
      return false;
    }
    write_ = &write;
    return true;
  }
  return false;
}

void Core::cancel(Operation& operation) {
  if (&operation == read_) finish_later(*std::exchange(read_, nullptr), net::error::operation_aborted);
  if (&operation == write_) finish_later(*std::exchange(write_, nullptr), net::error::operation_aborted);
}

void Core::cancel_all() {
  if (read_ != nullptr) cancel(*read_);
  if (write_ != nullptr) cancel(*write_);
}

void Core::close() {
  if (closed_) return;
  closed_ = true;
  cancel_all();
  if (conn_ != nullptr) conn_->close();
}

void Core::abort() {
  closed_ = true;
  cancel_all();
  if (conn_ != nullptr) conn_->abort();
}

void Core::shutdown_write() {
  write_shut_ = true;
  if (is_open()) conn_->shutdown_write();
}

void Core::handler_failed() noexcept {
  if (work_.is_draining() && conn_ != nullptr) abort();
}

void Core::on_traffic() {
  if (read_ == nullptr || conn_->inbound_size() == 0) return;
  ReadOperation& read = *std::exchange(read_, nullptr);
  fill(read);
  read.run();
}

void Core::on_eof() {
  eof_ = true;
  if (read_ == nullptr) return;
  ReadOperation& read = *std::exchange(read_, nullptr);
  read.error = net::error::eof;
  read.run();
}

void Core::on_writable() {
  if (write_ != nullptr) std::exchange(write_, nullptr)->run();
}

Action Core::on_drain() {
  Function<void()> callback = std::move(drain_);  // It may destroy the stream, and itself with it.
  if (!is_open() || !callback) {
    close();
    return Action::close;
  }
  callback();
  return Action::none;
}

void Core::on_close(std::error_code reason) {
  conn_ = nullptr;
  reason_ = translate(reason);
  if (read_ != nullptr) finish_later(*std::exchange(read_, nullptr), reason_);
  if (write_ != nullptr) finish_later(*std::exchange(write_, nullptr), reason_);
}

void Core::fill(ReadOperation& read) {
  for (const std::span<std::byte> target : std::span(read.targets).first(read.targets_count)) {
    const std::size_t size = conn_->read(target);
    read.size += size;
    if (size < target.size()) break;
  }
}

error_code Core::take(WriteOperation& write, std::span<const Bytes> sources, bool& above_high_mark) {
  std::array<Bytes, WriteOperation::sources_max> parts{};
  std::copy(sources.begin(), sources.end(), parts.begin());
  std::size_t count = sources.size();
  std::size_t size = total(sources);

  for (std::size_t size_max = write_max;; size_max /= 2) {
    if (size > size_max) {
      count = cut(std::span(parts).first(count), size_max);
      size = size_max;
    }
    const Written written = conn_->writev(std::span<const Bytes>(parts).first(count));
    if (written != Written::refused) {
      write.size = size;
      above_high_mark = written == Written::above_high_mark;
      return {};
    }
    // Perhaps less fits below Options::outbound_limit. A connection that is closing takes nothing at all.
    if (size <= write_min) break;
  }
  if (conn_->outbound_size() != 0) return net::error::no_buffer_space;
  return net::error::broken_pipe;
}

void Core::finish_later(Operation& operation, error_code error) {
  operation.error = error;
  work_.push(operation);
}

}  // namespace ringwire::asio::detail
