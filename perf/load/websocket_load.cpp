// A websocket load of our own: one blocking client a thread, each message compared with its echo. No ringwire
// and no Beast inside, so that both sides cannot be wrong in the same way.
//
// Leaves to others: the server, and what its figures mean. Invariant: a connection has one message under way,
// and no call waits longer than 30 s.
//
// It prints one line of name=value pairs; exit code 1 when anything was not as RFC 6455 has it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

struct Settings {
  std::uint16_t port = 0;
  std::size_t connections = 200;
  std::size_t messages = 1000;  // Of each connection.
  std::size_t size_max = 64 << 10;
  std::uint64_t seed = 1;
};

struct Totals {
  std::atomic<std::size_t> messages = 0;
  std::atomic<std::size_t> bytes = 0;
  std::atomic<std::size_t> errors = 0;
  std::atomic<std::int64_t> slowest_us = 0;
};

enum Opcode : std::uint8_t { text = 1, binary = 2, closing = 8 };

class Client {
 public:
  Client(const Settings& settings, std::size_t index)
      : settings_(settings), random_(settings.seed * 7919 + index) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(settings.port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{30, 0};
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd_ < 0 || ::connect(fd_, static_cast<sockaddr*>(static_cast<void*>(&name)), sizeof name) != 0) {
      throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
    }
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { ::close(fd_); }

  void run(Totals& totals) {
    shake_hands();
    std::string payload(settings_.size_max, '\0');
    for (std::size_t index = 0; index < settings_.messages; ++index) {
      const Opcode opcode = index % 2 == 0 ? text : binary;
      const std::size_t size = size_of(index);
      fill(payload, size, opcode);
      const auto begin = std::chrono::steady_clock::now();
      send_frame(opcode, {payload.data(), size});
      if (receive_frame(opcode) != std::string_view(payload.data(), size)) {
        throw std::runtime_error("an echo differs");
      }
      const auto time = std::chrono::steady_clock::now() - begin;
      const std::int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
      std::int64_t slowest = totals.slowest_us;
      while (us > slowest && !totals.slowest_us.compare_exchange_weak(slowest, us)) {
      }
      ++totals.messages;
      totals.bytes += size;
    }
    send_frame(closing, "\x03\xe8");
    if (receive_frame(closing) != "\x03\xe8")
      throw std::runtime_error("the close was not answered with 1000");
    char byte = 0;
    if (::recv(fd_, &byte, 1, 0) != 0) throw std::runtime_error("no FIN after the close");
  }

 private:
  // The sizes at which the frame's form changes come first, then all magnitudes alike.
  std::size_t size_of(std::size_t index) {
    constexpr std::size_t edges[] = {1, 125, 126, 127, 65535, 65536};
    if (index < std::size(edges)) return std::min(edges[index], settings_.size_max);
    std::uniform_real_distribution<double> magnitude(0, std::log2(static_cast<double>(settings_.size_max)));
    return static_cast<std::size_t>(std::exp2(magnitude(random_)));
  }

  void fill(std::string& payload, std::size_t size, Opcode opcode) {
    for (std::size_t at = 0; at < size; at += 8) {
      std::uint64_t bits = random_();
      if (opcode == text) bits = (bits & 0x1f1f'1f1f'1f1f'1f1f) + 0x4040'4040'4040'4040;  // @ to _
      std::memcpy(payload.data() + at, &bits, std::min<std::size_t>(8, size - at));
    }
  }

  void shake_hands() {
    send_all(
        "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    std::string head;
    while (!head.ends_with("\r\n\r\n")) head += receive(1);
    if (!head.starts_with("HTTP/1.1 101") || head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == std::string::npos) {
      throw std::runtime_error("the handshake failed: " + head);
    }
  }

  void send_frame(Opcode opcode, std::string_view payload) {
    frame_.assign(1, static_cast<char>(0x80 | opcode));
    const std::size_t size = payload.size();
    const int bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
    frame_ += static_cast<char>(0x80 | (bytes == 0 ? size : bytes == 2 ? 126 : 127));
    for (int shift = 8 * bytes - 8; shift >= 0; shift -= 8) frame_ += static_cast<char>(size >> shift & 0xff);
    const auto mask = static_cast<std::uint32_t>(random_());
    char key[4];
    std::memcpy(key, &mask, 4);
    frame_.append(key, 4);
    const std::size_t begin = frame_.size();
    frame_.append(payload);
    for (std::size_t at = 0; at < size; ++at)
      frame_[begin + at] = static_cast<char>(frame_[begin + at] ^ key[at % 4]);
    send_all(frame_);
  }

  // The payload of the next frame, which must be whole, unmasked and of this kind.
  std::string_view receive_frame(Opcode opcode) {
    const std::string_view head = receive(2);
    if (head[0] != static_cast<char>(0x80 | opcode)) throw std::runtime_error("another frame than expected");
    std::uint64_t size = static_cast<std::uint8_t>(head[1]);
    if (size > 127) throw std::runtime_error("a server must not mask");
    if (size >= 126) {
      const std::string_view length = receive(size == 126 ? 2 : 8);
      size = 0;
      for (const char byte : length) size = size << 8 | static_cast<std::uint8_t>(byte);
    }
    if (size > settings_.size_max) throw std::runtime_error("an echo is too long");
    return receive(size);
  }

  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Exactly so many bytes; valid until the next call.
  std::string_view receive(std::size_t size) {
    if (input_.size() - taken_ < size) {
      input_.erase(0, taken_);
      taken_ = 0;
      while (input_.size() < size) {
        char buffer[16 << 10];
        const ssize_t came = ::recv(fd_, buffer, sizeof buffer, 0);
        if (came <= 0) throw std::runtime_error(came == 0 ? "FIN too early" : std::strerror(errno));
        input_.append(buffer, static_cast<std::size_t>(came));
      }
    }
    taken_ += size;
    return std::string_view(input_).substr(taken_ - size, size);
  }

  const Settings& settings_;
  std::mt19937_64 random_;
  int fd_ = -1;
  std::string frame_;
  std::string input_;
  std::size_t taken_ = 0;
};

bool parse(int count, char** words, Settings& settings) {
  for (int index = 1; index + 1 < count; index += 2) {
    const std::string_view name = words[index];
    const std::uint64_t value = std::strtoull(words[index + 1], nullptr, 10);
    if (name == "--port") {
      settings.port = static_cast<std::uint16_t>(value);
    } else if (name == "--connections") {
      settings.connections = value;
    } else if (name == "--messages") {
      settings.messages = value;
    } else if (name == "--size-max") {
      settings.size_max = value;
    } else if (name == "--seed") {
      settings.seed = value;
    } else {
      return false;
    }
  }
  return count % 2 == 1 && settings.port != 0 && settings.size_max != 0;
}

}  // namespace

int main(int count, char** words) {
  Settings settings;
  if (!parse(count, words, settings)) {
    std::cerr
        << "usage: websocket_load --port N [--connections N] [--messages N] [--size-max BYTES] [--seed N]\n";
    return 2;
  }
  Totals totals;
  std::vector<std::thread> threads;
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t index = 0; index < settings.connections; ++index) {
    threads.emplace_back([&settings, &totals, index] {
      try {
        Client(settings, index).run(totals);
      } catch (const std::exception& fault) {
        if (totals.errors++ == 0) std::cerr << "connection " << index << ": " << fault.what() << std::endl;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::cout << "connections=" << settings.connections << " messages=" << totals.messages
            << " bytes=" << totals.bytes << " seconds=" << seconds.count()
            << " slowest_ms=" << static_cast<double>(totals.slowest_us) / 1000 << " errors=" << totals.errors
            << std::endl;
  return totals.errors == 0 && totals.messages == settings.connections * settings.messages ? 0 : 1;
}
