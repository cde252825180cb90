// A loop with two datagram sockets on a scripted kernel, and datagrams as that kernel writes them.
#pragma once

#include "lib/net/address.hpp"
#include "lib/uring/received.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstring>
#include <string>
#include <string_view>

namespace ringwire::test {

/// 127.0.0.1 with this port.
inline Address local(std::uint16_t port) {
  Address address;
  address.family = Address::Family::ipv4;
  address.port = port;
  address.ip = {127, 0, 0, 1};
  return address;
}

/// The loop; its sockets are descriptors 20 and 21 on ports 1000 and 1001.
class DatagramFixture : public ScriptedLoop {
 public:
  explicit DatagramFixture(const Options& given = small(), bool listens = false) : ScriptedLoop{given} {
    if (listens) loop.add_listener(listener);
    loop.add_datagram_socket(20, local(1000));
    loop.add_datagram_socket(21, local(1001));
    open();
    recv = kernel.take(uring::Op::datagram_recv);
  }
  /// The receive of the second socket; takes it from the requests that were submitted.
  void take_second() { second = kernel.take(uring::Op::datagram_recv); }

  /// The same with sessions.
  static Options with_sessions() {
    Options options = small();
    options.datagram_sessions = true;
    return options;
  }
  /// Two buffers for datagrams of eight bytes, each of which comes and leaves by itself.
  static Options small() {
    Options options;
    options.datagram_buffers_count = 2;
    options.datagram_size_max = 8;
    options.datagram_train_max = 1;
    options.datagram_gro = false;
    return options;
  }
  /// The same, but what is of one size and for one peer leaves together, and may come so.
  static Options with_trains() {
    Options options = small();
    options.datagram_train_max = loop::Train::count_most;
    options.datagram_gro = true;
    return options;
  }

  /// A datagram from this port arrives at the first socket, cut to what a buffer holds.
  bool arrive(std::uint16_t port, std::string_view bytes, bool more = true) {
    const kernel::SocketName name = net::to_name(local(port));
    io_uring_recvmsg_out head{};
    head.namelen = name.size;
    head.payloadlen = static_cast<std::uint32_t>(bytes.size());
    std::string content(uring::received_head_size, '\0');
    std::memcpy(content.data(), &head, sizeof head);
    std::memcpy(content.data() + sizeof head, &name.storage, name.size);
    content += bytes.substr(0, options.datagram_size_max);
    return kernel.receive(*recv, content, more);
  }
  /// Datagrams of this port arrive as one that is to be parted into pieces so long.
  bool arrive_joined(std::uint16_t port, std::string_view bytes, int segment_size) {
    const kernel::SocketName name = net::to_name(local(port));
    io_uring_recvmsg_out head{};
    head.namelen = name.size;
    head.controllen = CMSG_SPACE(sizeof segment_size);
    head.payloadlen = static_cast<std::uint32_t>(bytes.size());
    const cmsghdr note{CMSG_LEN(sizeof segment_size), SOL_UDP, UDP_GRO};
    std::string content(uring::received_head_size, '\0');
    std::memcpy(content.data(), &head, sizeof head);
    std::memcpy(content.data() + sizeof head, &name.storage, name.size);
    char* const control = content.data() + sizeof head + uring::received_name_size;
    std::memcpy(control, &note, sizeof note);
    std::memcpy(control + CMSG_LEN(0), &segment_size, sizeof segment_size);
    content += bytes;
    return kernel.receive(*recv, content);
  }
  /// The same at another socket, and a lap.
  void arrive_at(std::uint16_t port, std::uint16_t peer, std::string_view bytes) {
    const std::optional<Request> first = std::exchange(recv, port == 1000 ? recv : second);
    arrive(peer, bytes);
    recv = first;
    lap();
  }
  /// The requests of this kind that were submitted.
  std::vector<Request> take_all(uring::Op op) {
    std::vector<Request> all;
    while (const auto request = kernel.take(op)) all.push_back(*request);
    return all;
  }
  /// The first socket.
  [[nodiscard]] loop::DatagramSocket& socket() { return *loop.datagrams().find(0); }
  /// Queues a datagram on it; what becomes of it is written down.
  std::error_code send(std::string_view text, std::uint16_t to = 5) {
    return socket().queue(to_bytes(text), local(to), [this, word = std::string{text}](std::error_code error) {
      notebook.events.push_back(word + (error ? ":" + error.message() : ":sent"));
    });
  }

  std::optional<Request> recv;
  std::optional<Request> second;
};

}  // namespace ringwire::test
