// From a completion to the `on_…` half of its operation.
//
// A completion whose connection is gone is dropped, after the buffer it brought went home.
#include "lib/base/assert.hpp"
#include "lib/loop/loop.hpp"

namespace ringwire::loop {

void Loop::dispatch(const uring::Completion& done) noexcept {
  switch (done.token.op) {
    case uring::Op::recv:
    case uring::Op::send:
    case uring::Op::pause:
    case uring::Op::cancel:
    case uring::Op::close:
      return dispatch_to_connection(done);
    case uring::Op::accept:
    case uring::Op::accept_cancel:
    case uring::Op::accept_close:
      return enter(entrance_.on_completion(done, shared_.now));
    case uring::Op::datagram_recv:
    case uring::Op::datagram_send:
    case uring::Op::datagram_cancel:
    case uring::Op::datagram_close:
      return datagrams_.dispatch(done, shared_.now);
    case uring::Op::handoff:
      return on_handoff(done);
    case uring::Op::handoff_end:
      return on_handoff_end(done);
    case uring::Op::connect:
      return on_connect(done);
    case uring::Op::connect_cancel:
      return on_connect_cancel(done);
    case uring::Op::signal:
      signal_due_ = !(stopping_ && is_empty());  // A second one hastens a drain.
      if (done.res > 0) with_.owner.stop_wanted();
      return;
    case uring::Op::event:
      // Letters may come until the last connection has left; then `flush_stop` cancels the read for good.
      event_due_ = !(stopping_ && is_empty());
      return;
    case uring::Op::cancel_all:
      cancel_all_armed_ = false;
      return;
    case uring::Op::wake:
      return;  // It has woken us; why is in the mailbox.
    case uring::Op::none:
    case uring::Op::probe:
    case uring::Op::timer:
    case uring::Op::session:
    case uring::Op::handoff_send:
      break;
  }
  RINGWIRE_ASSERT(false, "op {} is no operation of a loop", static_cast<int>(done.token.op));
}

void Loop::dispatch_to_connection(const uring::Completion& done) noexcept {
  Client* client = connections_.find(done.token.slot, done.token.generation);
  if (client == nullptr) {
    if (done.has_buffer()) {
      pool_.take(done.bid());
      pool_.give_back(done.bid());
    }
    return;
  }
  switch (done.token.op) {
    case uring::Op::recv:
      return client->on_recv(done);
    case uring::Op::send:
      return client->on_send(done);
    case uring::Op::pause:
      return client->on_pause(done);
    case uring::Op::cancel:
      return client->on_cancel(done);
    default:
      return client->on_close(done);
  }
}

}  // namespace ringwire::loop
