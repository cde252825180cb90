// The public face of a session, and whom it is with.
#include "lib/loop/session.hpp"

#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/loop/loop.hpp"
#include "lib/loop/mailbox.hpp"
#include "lib/loop/sessions.hpp"
#include "lib/net/address.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace ringwire {
namespace loop {

PeerKey PeerKey::of(const kernel::SocketName& name, std::uint32_t socket) noexcept {
  PeerKey key;
  key.socket = socket;
  key.family = name.storage.ss_family;
  if (key.family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &name.storage, sizeof(four));
    std::memcpy(key.ip.data(), &four.sin_addr, sizeof(four.sin_addr));
    key.port = four.sin_port;
  } else if (key.family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &name.storage, sizeof(six));
    std::memcpy(key.ip.data(), &six.sin6_addr, sizeof(six.sin6_addr));
    key.port = six.sin6_port;
    key.zone = six.sin6_scope_id;
  }
  return key;
}

kernel::SocketName PeerKey::name() const noexcept {
  kernel::SocketName name;
  if (family == AF_INET) {
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = port;
    std::memcpy(&four.sin_addr, ip.data(), sizeof(four.sin_addr));
    std::memcpy(&name.storage, &four, sizeof(four));
    name.size = sizeof(four);
  } else if (family == AF_INET6) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = port;
    six.sin6_scope_id = zone;
    std::memcpy(&six.sin6_addr, ip.data(), sizeof(six.sin6_addr));
    std::memcpy(&name.storage, &six, sizeof(six));
    name.size = sizeof(six);
  }
  return name;
}

Address PeerKey::address() const noexcept {
  return net::to_address(name());
}

}  // namespace loop

namespace {

constexpr std::chrono::milliseconds longest = std::chrono::hours{24 * 365};

// A Session is the base of a PeerSession and of nothing else: its constructor is protected.
loop::PeerSession& self(Session& session) noexcept {
  return static_cast<loop::PeerSession&>(session);
}
const loop::PeerSession& self(const Session& session) noexcept {
  return static_cast<const loop::PeerSession&>(session);
}

}  // namespace

Address Session::remote_address() const noexcept {
  return self(*this).key_.address();
}

const Address& Session::local_address() const noexcept {
  return self(*this).socket_.local_address();
}

std::error_code Session::send(Bytes bytes) {
  return self(*this).queue(bytes, nullptr);
}

std::error_code Session::send(std::string_view text) {
  return send(to_bytes(text));
}

void Session::close() {
  self(*this).end({});
}

void Session::set_timeout(std::chrono::milliseconds timeout) {
  RINGWIRE_REQUIRE(timeout.count() >= 0, "session timeout {} ms", timeout.count());
  loop::PeerSession& session = self(*this);
  if (session.is_ending()) return;
  session.timeout_ = base::to_nanoseconds(std::min(timeout, longest));
  session.owner_.move_timer(session);
}

SessionRef Session::ref() const {
  const loop::PeerSession& session = self(*this);
  return {session.owner_.loop(), session.slot_, session.generation_};
}

LoopRef Session::loop() const {
  return self(*this).owner_.loop();
}

// As `ConnRef`'s requests: a letter; when nobody will read it, it is answered here.
void SessionRef::send(Bytes bytes, Done done) const {
  if (bytes.size() > loop::DatagramSocket::datagram_size_most) {  // Before it is copied.
    if (done) done(std::make_error_code(std::errc::message_size));
    return;
  }
  loop::Mail letter{[slot = slot_, generation = generation_,
                     copy = std::vector<std::byte>(bytes.begin(), bytes.end()),
                     done = std::move(done)](loop::Loop* loop, std::error_code refused) mutable {
    if (loop != nullptr) {
      loop::PeerSession* session = loop->sessions().find(slot, generation);
      refused = session == nullptr ? make_error_code(Error::closed) : session->queue(copy, std::move(done));
      if (!refused) return;  // The socket has taken `done`, and answers when the kernel has.
    }
    if (done) done(refused);  // NOLINT(bugprone-use-after-move): taken only when queued.
  }};
  loop::Mailbox* mailbox = loop_.mailbox_.get();
  if (mailbox == nullptr) return letter(nullptr, Error::closed);
  // A refused letter is left intact. NOLINTNEXTLINE(bugprone-use-after-move)
  if (const auto refused = mailbox->post(std::move(letter))) letter(nullptr, refused);
}

void SessionRef::send(std::string_view text, Done done) const {
  send(to_bytes(text), std::move(done));
}

void SessionRef::post(Function<void(Session*)> task) const {
  RINGWIRE_REQUIRE(task, "an empty task cannot be run");
  loop::Mail letter{[slot = slot_, generation = generation_, task = std::move(task)](
                        loop::Loop* loop, std::error_code) mutable {
    task(loop == nullptr ? nullptr : loop->sessions().find(slot, generation));
  }};
  loop::Mailbox* mailbox = loop_.mailbox_.get();
  if (mailbox == nullptr) return letter(nullptr, Error::closed);
  // A refused letter is left intact. NOLINTNEXTLINE(bugprone-use-after-move)
  if (const auto refused = mailbox->post(std::move(letter))) letter(nullptr, refused);
}

}  // namespace ringwire
