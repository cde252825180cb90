// The handles other threads hold: each request becomes a letter to the loop.
#include <ringwire/conn_ref.hpp>
#include <ringwire/error.hpp>
#include <ringwire/loop_ref.hpp>
#include <ringwire/timer_ref.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/loop/loop.hpp"
#include "lib/loop/mailbox.hpp"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

namespace ringwire {

LoopRef::LoopRef(std::shared_ptr<loop::Mailbox> mailbox) noexcept : mailbox_{std::move(mailbox)} {}

bool LoopRef::is_current() const noexcept {
  return mailbox_ != nullptr && mailbox_->is_current();
}

std::error_code LoopRef::post(Task task) const {
  RINGWIRE_REQUIRE(task, "an empty task cannot be run");
  if (mailbox_ == nullptr) return Error::closed;
  return mailbox_->post([task = std::move(task)](loop::Loop* loop, std::error_code) mutable {
    if (loop != nullptr) task();
  });
}

TimerRef LoopRef::schedule(std::chrono::milliseconds delay, Task task) const {
  return set_timer(base::to_nanoseconds(delay), 0, task);
}

TimerRef LoopRef::schedule_every(std::chrono::milliseconds period, Task task) const {
  const std::uint64_t each = base::to_nanoseconds(std::max(period, std::chrono::milliseconds{1}));
  return set_timer(each, each, task);
}

TimerRef LoopRef::set_timer(std::uint64_t delay, std::uint64_t period, Task& task) const {
  RINGWIRE_REQUIRE(task, "an empty task cannot be scheduled");
  TimerRef ref;
  if (mailbox_ == nullptr) return ref;

  loop::Timers::Name name;
  switch (mailbox_->timers().add(delay, period, std::move(task), name, mailbox_->is_current())) {
    case base::Posted::closed:
      return ref;
    case base::Posted::full:
      ref.slot_ = 1;
      return ref;
    case base::Posted::first:
      mailbox_->wake();
      break;
    case base::Posted::queued:
      break;
  }
  ref.mailbox_ = mailbox_;
  ref.slot_ = name.slot;
  ref.generation_ = name.generation;
  return ref;
}

std::error_code TimerRef::error() const noexcept {
  if (*this) return {};
  return slot_ == 0 ? make_error_code(Error::closed)
                    : std::make_error_code(std::errc::resource_unavailable_try_again);
}

bool TimerRef::cancel() const {
  if (!*this) return false;
  switch (mailbox_->timers().cancel({slot_, generation_}, mailbox_->is_current())) {
    case loop::Timers::Cancelled::no:
      return false;
    case loop::Timers::Cancelled::yes:
      return true;
    case loop::Timers::Cancelled::yes_wake:
      break;
  }
  mailbox_->wake();
  return true;
}

namespace {

// Runs `act` with the connection, or nullptr and the reason there is none. When the letter is refused, on
// this thread.
template <typename Act>
void send(loop::Mailbox* mailbox, std::uint32_t slot, std::uint32_t generation, Act act) {
  loop::Mail letter{
      [slot, generation, act = std::move(act)](loop::Loop* loop, std::error_code refused) mutable {
        conn::Connection* conn = loop == nullptr ? nullptr : loop->find(slot, generation);
        act(loop, conn, loop == nullptr ? refused : make_error_code(Error::closed));
      }};
  if (mailbox == nullptr) return letter(nullptr, Error::closed);
  // A refused letter is left intact. NOLINTNEXTLINE(bugprone-use-after-move)
  if (const auto refused = mailbox->post(std::move(letter))) letter(nullptr, refused);
}

void tell(Done& done, std::error_code error) {
  if (done) done(error);
}

// Keeps `done` for later with `keep`; when there is no memory for that, it is told so now.
template <typename Keep>
void keep_or_tell(Done& done, Keep keep) {
  if (!done) return;
  try {
    keep(std::move(done));
  } catch (const std::bad_alloc&) {  // Thrown before `done` is taken.
    tell(done, std::make_error_code(std::errc::not_enough_memory));
  }
}

// The loop's side of `ConnRef::write`.
template <typename What>
void write_now(conn::Connection& conn, const What& what, Done done) {
  if (!conn.takes_writes()) return tell(done, Error::closed);
  if (conn.write(what) == Written::refused) {
    return tell(done, conn.takes_writes() ? std::make_error_code(std::errc::no_buffer_space)
                                          : make_error_code(Error::closed));
  }
  keep_or_tell(done, [&](Done&& kept) { conn.notify_sent(std::move(kept)); });
}

}  // namespace

ConnRef::ConnRef(LoopRef loop, std::uint32_t slot, std::uint32_t generation) noexcept
    : loop_{std::move(loop)}, slot_{slot}, generation_{generation} {}

void ConnRef::write(Bytes bytes, Done done) const {
  send(loop_.mailbox_.get(), slot_, generation_,
       [copy = std::vector<std::byte>(bytes.begin(), bytes.end()), done = std::move(done)](
           loop::Loop*, conn::Connection* conn, std::error_code refused) mutable {
         if (conn == nullptr) return tell(done, refused);
         write_now(*conn, Bytes{copy}, std::move(done));
       });
}

void ConnRef::write(Buffer buffer, Done done) const {
  send(loop_.mailbox_.get(), slot_, generation_,
       [buffer = std::move(buffer), done = std::move(done)](loop::Loop*, conn::Connection* conn,
                                                            std::error_code refused) mutable {
         if (conn == nullptr) return tell(done, refused);
         write_now(*conn, buffer, std::move(done));
       });
}

void ConnRef::write(std::string_view text, Done done) const {
  write(to_bytes(text), std::move(done));
}

void ConnRef::wake(Done done) const {
  send(loop_.mailbox_.get(), slot_, generation_,
       [done = std::move(done)](loop::Loop* loop, conn::Connection* conn, std::error_code refused) mutable {
         if (conn == nullptr) return tell(done, refused);
         conn->wake();
         loop->react();  // So that `done` comes after the event.
         tell(done, {});
       });
}

void ConnRef::close(Done done) const {
  send(loop_.mailbox_.get(), slot_, generation_,
       [done = std::move(done)](loop::Loop*, conn::Connection* conn, std::error_code refused) mutable {
         if (conn == nullptr) return tell(done, refused);
         conn->close();
         keep_or_tell(done, [&](Done&& kept) { conn->notify_closed(std::move(kept)); });
       });
}

void ConnRef::post(Function<void(Conn*)> task) const {
  RINGWIRE_REQUIRE(task, "an empty task cannot be run");
  send(
      loop_.mailbox_.get(), slot_, generation_,
      [task = std::move(task)](loop::Loop*, conn::Connection* conn, std::error_code) mutable { task(conn); });
}

}  // namespace ringwire
