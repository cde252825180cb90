// The public face of datagrams: what a handler, or another thread, asks is queued on the socket.
#include <ringwire/datagram.hpp>
#include <ringwire/error.hpp>

#include "lib/loop/loop.hpp"
#include "lib/loop/mailbox.hpp"

#include <system_error>
#include <utility>
#include <vector>

namespace ringwire {

const Address& Datagram::local_address() const noexcept {
  return socket_.local_address();
}

std::error_code Datagram::reply(Bytes bytes) {
  return send_to(bytes, from_);
}

std::error_code Datagram::reply(std::string_view text) {
  return reply(to_bytes(text));
}

std::error_code Datagram::send_to(Bytes bytes, const Address& to) {
  return socket_.queue(bytes, to, nullptr);
}

SocketRef Datagram::socket() const {
  return socket_.ref();
}

SocketRef::SocketRef(LoopRef loop, std::uint32_t slot, std::uint32_t generation) noexcept
    : loop_{std::move(loop)}, slot_{slot}, generation_{generation} {}

void SocketRef::send_to(Bytes bytes, const Address& to, Done done) const {
  if (bytes.size() > loop::DatagramSocket::datagram_size_most) {  // Before it is copied.
    if (done) done(std::make_error_code(std::errc::message_size));
    return;
  }
  loop::Mail letter{[slot = slot_, generation = generation_, to,
                     copy = std::vector<std::byte>(bytes.begin(), bytes.end()),
                     done = std::move(done)](loop::Loop* loop, std::error_code refused) mutable {
    if (loop != nullptr) {
      loop::DatagramSocket* socket = loop->datagrams().find(slot, generation);
      refused = socket == nullptr ? make_error_code(Error::closed) : socket->queue(copy, to, std::move(done));
      if (!refused) return;  // It has taken `done`, and answers when the kernel has.
    }
    if (done) done(refused);  // NOLINT(bugprone-use-after-move): taken only when queued.
  }};
  loop::Mailbox* mailbox = loop_.mailbox_.get();
  if (mailbox == nullptr) return letter(nullptr, Error::closed);
  // A refused letter is left intact. NOLINTNEXTLINE(bugprone-use-after-move)
  if (const auto refused = mailbox->post(std::move(letter))) letter(nullptr, refused);
}

void SocketRef::send_to(std::string_view text, const Address& to, Done done) const {
  send_to(to_bytes(text), to, std::move(done));
}

}  // namespace ringwire
