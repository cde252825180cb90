// Birth, death and bookkeeping of a connection. What it does stands in recv.cpp, send.cpp, close.cpp,
// timeouts.cpp and conn.cpp.
#include "lib/conn/connection.hpp"

#include "lib/base/assert.hpp"

#include <new>
#include <utility>

namespace ringwire::conn {

Connection::Connection(std::uint32_t slot, std::uint32_t generation, Shared& shared, int fd, Origin origin)
    : shared_{shared},
      fd_{fd},
      slot_{slot},
      generation_{generation},
      origin_{origin},
      active_at_{shared.now},
      milestone_{shared.now} {
  RINGWIRE_ASSERT(fd >= 0);
  const Options& options = shared.options;
  if (options.read_timeout.count() != 0 || options.write_timeout.count() != 0 ||
      options.lifetime.count() != 0) {
    static_cast<void>(rare());
    rare_->read_timeout = options.read_timeout;
    rare_->write_timeout = options.write_timeout;
    rare_->lifetime = options.lifetime;
    rare_->received_at = shared.now;
  }
  mark_due();  // Last: nothing may throw once the list knows us.
}

Connection::~Connection() {
  RINGWIRE_ASSERT(armed_ == 0, "released while the kernel holds {}", armed_);
  RINGWIRE_ASSERT(fd_ < 0, "descriptor {} is still open", fd_);

  inbound_.clear(shared_.pools);
  outbound_.clear(shared_.chunks);
  if (QueueLink<Due>::linked()) shared_.due.remove(*this);
  if (QueueLink<News>::linked()) shared_.news.remove(*this);
}

void Connection::lend(std::uint8_t bit) noexcept {
  RINGWIRE_ASSERT(!armed(bit), "{} is lent already", bit);
  armed_ |= bit;
}

void Connection::take_back(std::uint8_t bit) noexcept {
  RINGWIRE_ASSERT(armed(bit), "{} was not lent", bit);
  armed_ &= static_cast<std::uint8_t>(~bit);
}

void Connection::mark_due() noexcept {
  if (!QueueLink<Due>::linked()) shared_.due.push_back(*this);
}

void Connection::mark_news() noexcept {
  if (!QueueLink<News>::linked()) shared_.news.push_back(*this);
}

Happened Connection::take_news() noexcept {
  Happened news = std::exchange(happened_, {});
  if (paused_) {
    happened_.traffic = news.traffic;
    happened_.eof = news.eof;
    news.traffic = false;
    news.eof = false;
  }
  return news;
}

Rare& Connection::rare() {
  if (rare_ == nullptr) {
    rare_ = std::make_unique<Rare>();
    rare_->idle_timeout = shared_.options.idle_timeout;
  }
  return *rare_;
}

void Connection::settle() noexcept {
  try {
    inbound_.settle(shared_.pools);
  } catch (const std::bad_alloc&) {
    fail_without_memory();
  }
}

void Connection::wake() noexcept {
  if (state_ != State::open) return;
  happened_.traffic = true;
  mark_news();
}

void Connection::drain() noexcept {
  draining_ = true;
  if (state_ != State::open) return;
  happened_.drain = true;
  mark_news();
}

void Connection::notify_closed(Done&& done) {
  rare().closed_callbacks.push_back(std::move(done));
}

std::vector<Done> Connection::take_closed_callbacks() noexcept {
  if (rare_ == nullptr) return {};
  return std::exchange(rare_->closed_callbacks, {});
}

void Connection::notify_sent(Done&& done) {
  outbound_.notify(std::move(done));
  if (outbound_.has_done()) mark_news();  // Nothing waits: it is true already.
}

}  // namespace ringwire::conn
