// The lap, and what must be there before the first and after the last. docs/design.md has the same seven
// steps.
#include "lib/loop/loop.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/uring/prep.hpp"

#include <utility>

namespace ringwire::loop {
namespace {

constexpr std::uint16_t recv_bgid = 0;  // 1 is the datagrams'.
constexpr std::uint16_t recv_large_bgid = 2;
constexpr std::size_t chunks_kept_max = 4 << 20;  // Outbound memory kept for reuse, per loop.
constexpr std::size_t dialing_max = 1
                                    << 16;  // Connects under way, per loop: as many as there are local ports.

}  // namespace

Loop::Loop(const Surroundings& surroundings, std::size_t index, bool has_balancer)
    : with_{surroundings},
      index_{index},
      mailbox_{std::make_shared<Mailbox>(with_.kernel, with_.options.mailbox_max, with_.options.timers_max)},
      ring_{with_.kernel},
      pools_{with_.kernel, recv_bgid, recv_large_bgid},
      shared_{
          .kernel = with_.kernel,
          .options = with_.options,
          .pools = pools_,
          .loop = LoopRef{mailbox_},
          .now = with_.kernel.now(),
          .chunks = base::ChunkPool{chunks_kept_max},
          .due = {},
          .news = {},
          .budget = with_.budget != nullptr ? conn::BudgetShare{*with_.budget, index} : conn::BudgetShare{}},
      wheel_{shared_.now},
      connections_{with_.options.connections_max},
      dialing_{dialing_max},
      entrance_{with_, *mailbox_},
      datagrams_{with_.kernel, with_.options, with_.log, LoopRef{mailbox_}},
      sessions_{with_.kernel, with_.options, LoopRef{mailbox_}, wheel_},
      has_balancer_{has_balancer} {
  mailbox_->timers().attach(wheel_);
}

Loop::~Loop() {
  close();
}

void Loop::add_listener(int fd, bool is_tcp) {
  RINGWIRE_ASSERT(!ring_.is_open());
  entrance_.add(fd, is_tcp);
}

std::error_code Loop::open() {
  uring::Features wanted;
  if (const auto error = wanted_features(with_, wanted)) return error;
  const Options& options = with_.options;
  if (const auto error =
          ring_.open(static_cast<unsigned>(options.sq_entries), static_cast<unsigned>(options.cq_entries),
                     wanted, wanted_requests(with_))) {
    return error;
  }
  if (const auto error = pools_.open(ring_, options)) return error;
  if (ring_.features().has(uring::Feature::recv_credit)) shared_.recv_credit = recv_share;
  if (const auto error = datagrams_.open(ring_, wanted)) return error;
  if (!ring_.features().has(uring::Feature::wake_ring)) {
    event_fd_ = with_.kernel.open_event();
    if (event_fd_ < 0) return base::fail(base::to_error(event_fd_), "eventfd");
    event_due_ = true;
  }
  signal_due_ = signal_fd_ >= 0;
  mailbox_->open(ring_.fd(), event_fd_);
  if (options.ticker && (index_ == 0 || options.ticker_per_loop)) wheel_.arm(tick_timer_, shared_.now);
  flush();  // A lap begins by waiting: what it waits for must be armed.
  publish_counts();
  return {};
}

bool Loop::lap() {
  mailbox_->enter();

  submit_and_wait();  // 1
  look_at_clock();    // 2
  reap();             // 3
  read_mail();        // 4
  turn_wheel();       // 5
  flush();            // 6
  release();          // 7

  mailbox_->leave();
  return !(stopping_ && is_empty() && ring_.in_flight() == 0);
}

void Loop::close() noexcept {
  std::vector<Mail> rest;
  mailbox_->close(rest);
  mailbox_->timers().close();
  for (Mail& letter : rest) guard("a posted task", [&] { letter(nullptr, Error::closed); });
  wheel_.cancel(tick_timer_);
  wheel_.cancel(stop_timer_);
  wheel_.cancel(drain_timer_);
  ring_.close();
  pools_.close();
  entrance_.close_now();
  datagrams_.close(with_.kernel);
  answer_datagrams();
  if (event_fd_ >= 0) with_.kernel.close(std::exchange(event_fd_, -1));
  publish_counts();
}

bool Loop::has_work() noexcept {
  return more_completions_ || queue_full_ || ring_.has_overflow() || mailbox_->has_mail() ||
         mailbox_->timers().has_news() || !shared_.due.empty() || !shared_.news.empty() || !gone_.empty() ||
         sessions_.has_ended() || stop_requested_.load(std::memory_order_relaxed) != stopping_ ||
         datagrams_.is_due(shared_.now) ||
         // The last connection left: datagram sockets close next, then what the loop armed.
         (!serving_ && is_alone() && datagrams_.is_queueing()) ||
         (stopping_ && is_empty() && !cancel_all_armed_);
}

void Loop::submit_and_wait() noexcept {
  if (has_work()) {
    ring_.submit_and_wait(0, 0);
  } else {
    ring_.submit_and_wait(1, wait_time());
  }
}

void Loop::look_at_clock() noexcept {
  shared_.now = with_.kernel.now();
}

void Loop::reap() noexcept {
  std::size_t count = 0;
  more_completions_ = false;
  for (auto batch = ring_.reap(); !batch.empty(); batch = ring_.reap()) {
    for (const uring::Completion& done : batch) dispatch(done);
    count += batch.size();
    if (count >= completions_max) {
      more_completions_ = true;
      base::tally(shared_.metrics.full_laps);
      break;
    }
  }
  let_waiting_in();
  react();
}

void Loop::read_mail() noexcept {
  if (stop_requested_.load(std::memory_order_acquire) && !stopping_) begin_stop();
  if (stopping_ && shared_plan_.read() != plan_) follow_plan();
  if (mailbox_->timers().has_news()) mailbox_->timers().take_news();
  for (unsigned round = 0; round < mail_rounds_max && mailbox_->has_mail(); ++round) {
    mailbox_->take(letters_);
    for (Mail& letter : letters_) {
      guard("a posted task", [&] { letter(this, {}); });
      letter = nullptr;
    }
    letters_.clear();
  }
  // Nobody is left who might send through them; what their end makes the handler send still leaves.
  if (!serving_ && is_alone()) sessions_.end_all(Error::engine_stopped);
  react();
}

void Loop::turn_wheel() noexcept {
  wheel_.advance(shared_.now, [this](Timer& timer) { on_timer(timer); });
  react();
}

void Loop::arm_event() noexcept {
  RINGWIRE_ASSERT(event_due_);
  RINGWIRE_ASSERT(event_fd_ >= 0);

  uring::prep_read(ring_.next_sqe({uring::Op::event, 0, 0}), event_fd_, event_bytes_);
  event_due_ = false;
}

void Loop::arm_signal() noexcept {
  RINGWIRE_ASSERT(signal_due_);
  RINGWIRE_ASSERT(signal_fd_ >= 0);

  uring::prep_read(ring_.next_sqe({uring::Op::signal, 0, 0}), signal_fd_, signal_bytes_);
  signal_due_ = false;
}

}  // namespace ringwire::loop
