// From datagrams to the handler: what has come, what was sent, and the sessions they open and end.
//
// A session that an event has ended is told so right after it: the next datagram of its peer opens another
// one. What the handler throws ends its session, nothing else.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/loop/loop.hpp"
#include "lib/net/address.hpp"

namespace ringwire::loop {

template <typename Event>
void Loop::tell(PeerSession& session, const char* name, Event&& event) noexcept {
  try {
    const Action action = event();
    if (action == Action::close) session.end({});
    obey(nullptr, action);
  } catch (...) {
    base::tally(shared_.metrics.handler_failures);
    base::log_exception(with_.log, name);
    session.end(Error::handler_failed);
  }
}

void Loop::react_to_datagrams() noexcept {
  for (const Incoming& incoming : datagrams_.incoming()) {
    tell_incoming(incoming);
    datagrams_.give_back(incoming);
  }
  datagrams_.incoming().clear();
  answer_datagrams();
  end_sessions();
}

// One datagram, or several that the kernel has joined: each is told by itself, as if it had come so.
void Loop::tell_incoming(const Incoming& incoming) noexcept {
  DatagramSocket& socket = *datagrams_.find(incoming.socket);
  uring::Received rest = datagrams_.read(incoming);
  datagrams_.count_receive();
  do {
    tell_datagram(socket, uring::take_datagram(rest, with_.options.datagram_size_max));
    end_sessions();
  } while (rest.size > 0);
}

void Loop::tell_datagram(DatagramSocket& socket, const uring::Received& received) noexcept {
  PeerSession* session = nullptr;
  if (socket.is_connected() || with_.options.datagram_sessions) {
    session = session_for(socket, received.name);
    if (session == nullptr) return datagrams_.count_dropped();
    session->touch(shared_.now);
  }
  datagrams_.count(received);
  Datagram datagram{socket, received.payload, received.size, net::to_address(received.name), session};
  const auto event = [&] { return with_.handler.on_datagram(datagram); };
  if (session != nullptr) return tell(*session, "on_datagram", event);
  guard("on_datagram", [&] { obey(nullptr, event()); });
}

// nullptr: the datagram is not to be told.
PeerSession* Loop::session_for(DatagramSocket& socket, const kernel::SocketName& peer) noexcept {
  if (socket.is_connected()) return socket.session();
  const PeerKey key = PeerKey::of(peer, socket.slot());
  if (PeerSession* known = sessions_.find(key)) return known;
  PeerSession* session = sessions_.open(socket, key, shared_.now);
  if (session == nullptr) return nullptr;
  tell_session_open(*session);
  return session->is_ending() ? nullptr : session;
}

void Loop::tell_session_open(PeerSession& session) noexcept {
  tell(session, "on_session_open", [&] { return with_.handler.on_session_open(session); });
}

void Loop::end_sessions() noexcept {
  while (PeerSession* session = sessions_.take_ended()) {
    tell(*session, "on_session_close",
         [&] { return with_.handler.on_session_close(*session, session->reason()); });
    DatagramSocket& socket = session->socket();
    sessions_.release(*session);
    if (socket.is_connected()) {
      socket.set_session(nullptr);
      socket.begin_close();
      socket.end_queueing();
    }
  }
}

void Loop::answer_datagrams() noexcept {
  datagrams_.publish_counts();  // Whoever is told by a callback finds it counted.
  while (Outgoing* datagram = datagrams_.take_answered()) {
    guard("a send callback", [&] { datagram->done(datagram->error); });
    datagrams_.release(*datagram);
  }
}

}  // namespace ringwire::loop
