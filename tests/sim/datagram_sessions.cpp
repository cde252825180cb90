// The sessions of a swarm's datagrams: opened before they are used, closed once, never idle before their
// time.
#include <ringwire/error.hpp>

#include "tests/sim/datagram_crowd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace ringwire::test {
namespace {

// When a session last heard of its peer.
struct Heard {
  kernel::Nanoseconds at;
};

}  // namespace

Action DatagramCrowd::on_session_open(Session& session) {
  if (!plan_.options.datagram_sessions) violate("a session that nobody asked for");
  if (std::find(sessions_.begin(), sessions_.end(), &session) != sessions_.end()) {
    violate("on_session_open came twice");
  }
  sessions_.push_back(&session);
  session.emplace_context<Heard>(Heard{world_.kernel().now()});
  return whim(session);
}

void DatagramCrowd::check_session(Session* session) {
  if ((session != nullptr) != plan_.options.datagram_sessions)
    violate("a datagram without a session, or with one");
  if (session == nullptr) return;
  if (std::find(sessions_.begin(), sessions_.end(), session) == sessions_.end()) {
    return violate("a datagram of a session that is not open");
  }
  if (Heard* heard = session->context<Heard>()) heard->at = world_.kernel().now();
}

Action DatagramCrowd::on_session_close(Session& session, std::error_code reason) {
  const Heard* heard = session.context<Heard>();
  const bool was_open = std::erase(sessions_, &session) == 1;
  if (heard == nullptr) return Action::none;  // There was no memory for it.
  if (!was_open) violate("on_session_close of a session that is not open");
  const auto timeout = std::chrono::nanoseconds{plan_.options.session_timeout}.count();
  const kernel::Nanoseconds silent = world_.kernel().now() - heard->at;
  if (reason == Error::idle_timeout && silent < static_cast<kernel::Nanoseconds>(timeout)) {
    violate(fmt::format("a session was forgotten after {} ns", silent));
  }
  return whim(session);
}

// Sends, closes, throws, or does nothing.
Action DatagramCrowd::whim(Session& session) {
  if (choices_.draw(4) == 1) {
    const std::string bytes = fresh_bytes();
    note(session.local_address().port, session.remote_address().port, bytes);
    if (session.send(to_bytes(bytes))) {
      sent_.pop_back();
    } else {
      ++queued_;
    }
  }
  if (choices_.draw(8) == 1) session.close();
  if (!choices_.chance(plan_.close_rate)) return Action::none;
  if (choices_.draw(2) == 0) throw std::runtime_error{"a whim"};
  return Action::close;
}

}  // namespace ringwire::test
