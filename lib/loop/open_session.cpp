// Sessions that we begin: a socket of their own, connected to the peer. Connecting datagrams never waits, so
// there is nothing to arm and nothing to cancel.
#include <ringwire/error.hpp>
#include <ringwire/loop_ref.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/loop.hpp"
#include "lib/loop/mailbox.hpp"
#include "lib/net/address.hpp"

#include <fmt/core.h>

#include <utility>
#include <vector>

namespace ringwire {

std::error_code LoopRef::open_session(std::string_view address, SessionOpened done) const {
  if (mailbox_ == nullptr) return Error::closed;

  net::Endpoint endpoint;
  if (const auto error = net::parse_endpoint(address, endpoint)) return error;
  if (endpoint.transport != net::Endpoint::Transport::datagram) {
    return base::fail(Error::unsupported_protocol,
                      fmt::format("{}: a session is with a udp address", endpoint.text));
  }
  std::vector<Address> targets;
  if (const auto error = net::resolve(mailbox_->kernel(), endpoint, targets)) return error;
  RINGWIRE_ASSERT(!targets.empty());

  return mailbox_->post([targets = std::move(targets), done = std::move(done)](
                            loop::Loop* loop, std::error_code refused) mutable {
    if (loop != nullptr) return loop->open_session(targets, std::move(done));
    if (done) done(nullptr, refused);
  });
}

namespace loop {

void Loop::open_session(const std::vector<Address>& targets, SessionOpened done) {
  const auto answer = [&](Session* session, std::error_code error) {
    if (done) guard("a session callback", [&] { done(session, error); });
  };
  if (stopping_) return answer(nullptr, Error::engine_stopped);

  std::error_code error;
  for (const Address& peer : targets) {
    DatagramSocket* socket = datagrams_.connect(ring_, peer, error);
    if (socket == nullptr) continue;  // Another of the name's addresses may do.
    PeerSession* session =
        sessions_.open(*socket, PeerKey::of(net::to_name(peer), socket->slot()), shared_.now);
    if (session == nullptr) {
      socket->begin_close();
      socket->end_queueing();
      return answer(nullptr, std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    socket->set_session(session);
    tell_session_open(*session);
    return answer(session, {});
  }
  answer(nullptr, error);
}

}  // namespace loop
}  // namespace ringwire
