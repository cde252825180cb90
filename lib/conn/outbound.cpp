// Queueing, gathering and accounting of what is to be sent.
#include "lib/conn/outbound.hpp"

#include "lib/base/assert.hpp"

#include <new>
#include <utility>

namespace ringwire::conn {

void Outbound::append(base::ChunkPool& pool, std::span<const Bytes> parts) {
  for (const Bytes part : parts) queue_.append(pool, part);
}

void Outbound::borrow(base::ChunkPool& pool, const Buffer& bytes) {
  if (bytes.size() < copied_below) return queue_.append(pool, bytes.bytes());
  queue_.borrow(pool, bytes);
}

void Outbound::notify(Done&& done) {
  if (waiting_ == nullptr) waiting_ = std::make_unique<std::deque<Waiting>>();
  waiting_->emplace_back().end = consumed_ + queue_.size();
  waiting_->back().done = std::move(done);  // Only now, when nothing can fail any more.
}

const msghdr* Outbound::gather() noexcept {
  RINGWIRE_ASSERT(!queue_.empty());

  if (message_ == nullptr) message_.reset(new (std::nothrow) Message);
  if (message_ == nullptr) return nullptr;

  std::array<Bytes, pieces_max> pieces;
  const std::size_t count = queue_.gather(pieces);
  for (std::size_t index = 0; index < count; ++index) {
    // sendmsg(2) only reads through this pointer.
    message_->pieces[index] = {const_cast<std::byte*>(pieces[index].data()), pieces[index].size()};
  }
  message_->header.msg_iov = message_->pieces.data();
  message_->header.msg_iovlen = count;
  return &message_->header;
}

void Outbound::consume(base::ChunkPool& pool, std::size_t size) noexcept {
  RINGWIRE_ASSERT(size <= queue_.size(), "{} of {}", size, queue_.size());

  queue_.consume(pool, size);
  consumed_ += size;
  if (queue_.empty()) message_.reset();
}

void Outbound::clear(base::ChunkPool& pool) noexcept {
  queue_.clear(pool);
  message_.reset();
}

bool Outbound::has_done() const noexcept {
  return waiting_ != nullptr && !waiting_->empty() && waiting_->front().end <= consumed_;
}

std::optional<Done> Outbound::take_done(bool all) noexcept {
  if (waiting_ == nullptr || waiting_->empty() || !(all || has_done())) return std::nullopt;
  std::optional<Done> done{std::move(waiting_->front().done)};
  waiting_->pop_front();
  if (waiting_->empty()) waiting_.reset();
  return done;
}

}  // namespace ringwire::conn
