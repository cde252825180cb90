// A loop with two datagram sockets on a scripted kernel, and datagrams as that kernel writes them.
#pragma once

#include "lib/net/address.hpp"
#include "lib/uring/received.hpp"
#include "tests/loop/fixture.hpp"
#include "tests/support/catch.hpp"

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

/// Writes down each datagram, and does what the test wants with it.
class DatagramNotebook : public Notebook {
 public:
  std::function<Action(Datagram&)> datagram;

  Action on_datagram(Datagram& came) override {
    events.push_back("datagram:" + std::string{to_text(came.bytes())} +
                     (came.is_truncated() ? " of " + std::to_string(came.size()) : ""));
    return datagram ? datagram(came) : Action::none;
  }
};

/// The loop; its sockets are descriptors 20 and 21 on ports 1000 and 1001.
class DatagramFixture {
 public:
  explicit DatagramFixture(const Options& given = small())
      : options{given}, loop{{kernel, notebook, options, log, owner}, 0, false} {
    loop.add_datagram_socket(20, local(1000));
    loop.add_datagram_socket(21, local(1001));
    opened = loop.open();
    lap();
    recv = kernel.take(uring::Op::datagram_recv);
  }
  DatagramFixture(const DatagramFixture&) = delete;
  DatagramFixture& operator=(const DatagramFixture&) = delete;
  ~DatagramFixture() { stop(); }

  /// Two buffers for datagrams of eight bytes.
  static Options small() {
    Options options;
    options.datagram_buffers_count = 2;
    options.datagram_size_max = 8;
    return options;
  }

  /// One lap; its SQEs go out with the next, so a second one submits them.
  void lap() {
    running = running && loop.lap();
    running = running && loop.lap();
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

  /// Ends everything as a willing kernel would.
  void stop() {
    if (!running) return;
    loop.request_stop();
    for (int round = 0; round < 20 && running; ++round) {
      kernel.cancel_outstanding();
      kernel.time += 10'000'000'000;
      lap();
    }
  }

  ScriptKernel kernel;
  DatagramNotebook notebook;
  StopCounter owner;
  base::Log log{LogLevel::off, nullptr};
  Options options;
  loop::Loop loop;
  std::error_code opened;
  std::optional<Request> recv;
  bool running = true;
};

}  // namespace ringwire::test
