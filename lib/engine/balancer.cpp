// Accept, choose, hand over; and at the end, say how many.
#include "lib/engine/balancer.hpp"

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/admission.hpp"
#include "lib/net/socket.hpp"
#include "lib/uring/prep.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace ringwire::engine {
namespace {

// Enough for a batch of messages in one submit. A loop whose queues are smaller wants the balancer's so, too.
constexpr std::size_t sq_entries_max = 256;
constexpr std::size_t cq_entries_max = 4096;

// A loop that could not take a message makes room in its next lap. Without a pause we would ask all the
// while.
constexpr kernel::Nanoseconds refused_pause = 1'000'000;

// Messages in existence: as many as there can be descriptors.
constexpr std::size_t messages_max = std::size_t{1} << 30;

}  // namespace

Balancer::Balancer(const loop::Surroundings& surroundings, std::vector<loop::Loop*> loops)
    : with_{surroundings},
      loops_{std::move(loops)},
      bell_{with_.kernel, 1},
      ring_{with_.kernel},
      policy_{with_.options.balancing, loops_.size(), with_.options.balancing_policy, with_.log},
      entrance_{with_, bell_},
      messages_{messages_max},
      delivered_(loops_.size()) {
  RINGWIRE_ASSERT(!loops_.empty());
  for (std::uint32_t loop = 0; loop < loops_.size(); ++loop) {
    last_words_.push_back(messages_.acquire());
    last_words_.back()->loop = loop;
    last_words_.back()->is_end = true;
  }
}

void Balancer::add_listener(int fd, bool is_tcp) {
  RINGWIRE_ASSERT(!ring_.is_open());
  entrance_.add(fd, is_tcp);
}

std::error_code Balancer::open() {
  uring::Features wanted;
  if (const auto error = loop::wanted_features(with_, wanted)) return error;
  const auto sq_entries = static_cast<unsigned>(std::min(with_.options.sq_entries, sq_entries_max));
  const auto cq_entries = static_cast<unsigned>(std::min(with_.options.cq_entries, cq_entries_max));
  if (const auto error = ring_.open(sq_entries, cq_entries, wanted, loop::wanted_requests(with_)))
    return error;
  if (!ring_.features().has(uring::Feature::wake_ring)) {
    event_fd_ = with_.kernel.open_event();
    if (event_fd_ < 0) return base::fail(base::to_error(event_fd_), "eventfd");
    event_due_ = true;
  }
  bell_.open(ring_.fd(), event_fd_);
  now_ = with_.kernel.now();
  flush();  // A lap begins by waiting: what it waits for must be armed.
  return {};
}

void Balancer::close() noexcept {
  std::vector<loop::Mail> rest;
  bell_.close(rest);
  RINGWIRE_ASSERT(rest.empty(), "{} letters to the balancer", rest.size());
  ring_.close();
  entrance_.close_now();
  if (event_fd_ >= 0) with_.kernel.close(std::exchange(event_fd_, -1));
}

void Balancer::request_stop() noexcept {
  stop_requested_.store(true, std::memory_order_release);
  bell_.wake();
}

bool Balancer::lap() {
  submit_and_wait();
  now_ = with_.kernel.now();
  reap();
  if (stop_requested_.load(std::memory_order_acquire) && !stopping_) begin_stop();
  flush();
  accept_pauses_.store(entrance_.pauses_count(), std::memory_order_relaxed);
  return !(ended_ && undelivered_.empty() && refused_.empty() && ring_.in_flight() == 0);
}

void Balancer::submit_and_wait() noexcept {
  const bool has_work = queue_full_ || ring_.has_overflow() || !undelivered_.empty() ||
                        stop_requested_.load(std::memory_order_relaxed) != stopping_;
  if (has_work) {
    ring_.submit_and_wait(0, 0);
  } else {
    const kernel::Nanoseconds retry_at = refused_.empty() ? UINT64_MAX : retry_at_;
    ring_.submit_and_wait(1, loop::time_until(with_, std::min(retry_at, entrance_.first_resume())));
  }
}

void Balancer::reap() noexcept {
  // What the loops have closed is read once a batch: in between we count ourselves.
  for (std::size_t loop = 0; loop < loops_.size(); ++loop)
    policy_.set_closed(loop, loops_[loop]->accepted_closed());
  for (auto batch = ring_.reap(); !batch.empty(); batch = ring_.reap()) {
    for (const uring::Completion& done : batch) dispatch(done);
  }
  let_waiting_in();
}

void Balancer::dispatch(const uring::Completion& done) noexcept {
  const uring::Token token = done.token;
  switch (token.op) {
    case uring::Op::accept:
    case uring::Op::accept_cancel:
    case uring::Op::accept_close:
      return assign(entrance_.on_completion(done, now_));
    case uring::Op::handoff_send:
      return on_sent(done);
    case uring::Op::event:
      event_due_ = !stopping_;
      return;
    case uring::Op::cancel_all:
    case uring::Op::wake:
      return;
    default:
      RINGWIRE_ASSERT(false, "op {} is no operation of the balancer", static_cast<int>(token.op));
  }
}

void Balancer::let_waiting_in() noexcept {
  for (auto entered = entrance_.take_waiting(); entered.fd >= 0; entered = entrance_.take_waiting()) {
    assign(entered);
  }
}

void Balancer::assign(const loop::Entrance::Entered& entered) noexcept {
  if (entered.fd < 0) return;
  RINGWIRE_ASSERT(!ended_, "descriptor {} came after the loops were told the last count", entered.fd);

  Message* message = nullptr;
  try {
    message = messages_.acquire();
  } catch (const std::bad_alloc&) {
  }
  if (message == nullptr) return turn_away(entered);

  const Address peer = policy_.needs_peer() ? net::remote_address(with_.kernel, entered.fd) : Address{};
  message->loop = static_cast<std::uint32_t>(policy_.assign(peer));
  message->content = static_cast<std::uint32_t>(entered.fd);
  message->arrival = entered.arrival;
  undelivered_.push_back(*message);
  delivered_[message->loop] = (delivered_[message->loop] + 1) % loop::Loop::handoffs_modulus;
}

// Before a loop was chosen, so nobody counts it but the admission.
void Balancer::turn_away(const loop::Entrance::Entered& entered) noexcept {
  with_.log.warn("no memory to hand a connection over; it was reset");
  net::close_with_reset(with_.kernel, entered.fd);
  turned_away_.fetch_add(1, std::memory_order_relaxed);
  if (with_.admission != nullptr) with_.admission->leave(entered.arrival.pass);
}

// A loop's queue that could not take it (no memory, a full queue) may do so later: it stays with us until
// then.
void Balancer::on_sent(const uring::Completion& done) noexcept {
  Message* message = messages_.find(done.token.slot, done.token.generation);
  RINGWIRE_ASSERT(message != nullptr, "message {} was given up while it was on its way", done.token.slot);
  if (done.res >= 0) return messages_.release(message->slot);
  if (refused_.empty()) retry_at_ = now_ + refused_pause;
  refused_.push_back(*message);
}

// What finds no room now stays due; nothing else would wake us for it.
bool Balancer::make_room(unsigned count) noexcept {
  if (ring_.make_room(count)) return true;
  queue_full_ = true;
  return false;
}

void Balancer::flush() noexcept {
  queue_full_ = false;
  if (!entrance_.flush(ring_, now_)) queue_full_ = true;
  if (event_due_ && make_room(1)) {
    uring::prep_read(ring_.next_sqe({uring::Op::event, 0, 0}), event_fd_, event_bytes_);
    event_due_ = false;
  }
  if (now_ >= retry_at_) {
    while (Message* message = refused_.pop_front()) undelivered_.push_back(*message);
  }
  if (stopping_) flush_stop();
  while (!undelivered_.empty() && make_room(1)) send(*undelivered_.pop_front());
}

void Balancer::send(const Message& message) noexcept {
  RINGWIRE_ASSERT(message.loop < loops_.size(), "loop {} of {}", message.loop, loops_.size());

  const uring::Token theirs =
      message.is_end ? uring::Token{uring::Op::handoff_end, 0, 0} : message.arrival.token();
  uring::prep_message(ring_.next_sqe({uring::Op::handoff_send, message.generation, message.slot}),
                      loops_[message.loop]->ring_fd(), theirs.pack(), message.content);
}

void Balancer::begin_stop() noexcept {
  RINGWIRE_ASSERT(!stopping_);
  RINGWIRE_ASSERT(!ended_);

  stopping_ = true;
  entrance_.begin_close();
  let_waiting_in();
}

void Balancer::flush_stop() noexcept {
  RINGWIRE_ASSERT(stopping_);
  if (!entrance_.is_closed()) return;
  if (!ended_) {
    // Nothing will be accepted any more: tell each loop how many it must have got.
    ended_ = true;
    for (Message* last : last_words_) {
      last->content = delivered_[last->loop];
      undelivered_.push_back(*last);
    }
    return;
  }
  const bool only_event_left =
      undelivered_.empty() && refused_.empty() && event_fd_ >= 0 && !event_due_ && ring_.in_flight() == 1;
  event_due_ = false;
  if (only_event_left && make_room(1)) {
    uring::prep_cancel_all(ring_.next_sqe({uring::Op::cancel_all, 0, 0}));
  }
}

}  // namespace ringwire::engine
