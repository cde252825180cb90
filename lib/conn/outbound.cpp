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
  if (busy_ == nullptr) busy_ = std::make_unique<Busy>();
  if (busy_->waiting == nullptr) {
    busy_->waiting = std::make_unique<std::deque<Waiting>>();
    busy_->consumed = 0;
  }
  busy_->waiting->emplace_back().end = busy_->consumed + queue_.size();
  busy_->waiting->back().done = std::move(done);  // Only now, when nothing can fail any more.
}

const msghdr* Outbound::gather() noexcept {
  RINGWIRE_ASSERT(!queue_.empty());

  if (busy_ == nullptr) busy_.reset(new (std::nothrow) Busy);
  if (busy_ == nullptr) return nullptr;
  if (busy_->message == nullptr) busy_->message.reset(new (std::nothrow) Message);
  if (busy_->message == nullptr) return nullptr;

  std::array<Bytes, pieces_max> pieces;
  const std::size_t count = queue_.gather(pieces);
  Message& message = *busy_->message;
  for (std::size_t index = 0; index < count; ++index) {
    // sendmsg(2) only reads through this pointer.
    message.pieces[index] = {const_cast<std::byte*>(pieces[index].data()), pieces[index].size()};
  }
  message.header.msg_iov = message.pieces.data();
  message.header.msg_iovlen = count;
  return &message.header;
}

void Outbound::consume(base::ChunkPool& pool, std::size_t size) noexcept {
  RINGWIRE_ASSERT(size <= queue_.size(), "{} of {}", size, queue_.size());

  queue_.consume(pool, size);
  if (busy_ != nullptr) busy_->consumed += size;
  if (queue_.empty()) drop_message();
}

void Outbound::clear(base::ChunkPool& pool) noexcept {
  queue_.clear(pool);
  drop_message();
}

void Outbound::drop_message() noexcept {
  if (busy_ == nullptr) return;
  busy_->message.reset();
  if (busy_->waiting == nullptr) busy_.reset();
}

bool Outbound::has_done() const noexcept {
  return busy_ != nullptr && busy_->waiting != nullptr && !busy_->waiting->empty() &&
         busy_->waiting->front().end <= busy_->consumed;
}

std::optional<Done> Outbound::take_done(bool all) noexcept {
  if (busy_ == nullptr || busy_->waiting == nullptr || busy_->waiting->empty() || !(all || has_done())) {
    return std::nullopt;
  }
  std::deque<Waiting>& waiting = *busy_->waiting;
  std::optional<Done> done{std::move(waiting.front().done)};
  waiting.pop_front();
  if (waiting.empty()) busy_->waiting.reset();
  if (busy_->waiting == nullptr && busy_->message == nullptr) busy_.reset();
  return done;
}

}  // namespace ringwire::conn
