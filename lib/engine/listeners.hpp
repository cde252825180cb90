// The listening sockets of one engine: opened at boot, handed to whoever accepts, duplicated on request.
//
// Leaves to others: accepting on them, and closing them once they are handed out. Invariant: a descriptor is
// duplicated only while it is certainly open, because whoever closes it calls `retire` first.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/options.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/net/address.hpp"

#include <cstddef>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

namespace ringwire::engine {

/// The listeners of one engine, datagram sockets among them.
class Listeners {
 public:
  /// One of them, as whoever accepts takes it.
  struct Listener {
    int fd = -1;
    bool is_tcp = true;  // Not a unix socket.
  };

  /// The sockets of a udp address.
  struct DatagramSockets {
    std::size_t index;     // In `addresses()`.
    std::vector<int> fds;  // One for each loop; of a multicast group one, for loop 0.
  };

  /// Of no address yet.
  explicit Listeners(kernel::Kernel& kernel) noexcept : kernel_{kernel} {}
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;
  /// Closes what was not handed out, and retires.
  ~Listeners();

  /// Opens what each address names, in this order: one socket, or, inherited
  /// ones, several. With `Options::reuse_port` each of them `takers` times, and one of udp always. On failure
  /// some may be open. May throw bad_alloc.
  [[nodiscard]] std::error_code open(std::span<const std::string_view> addresses, const Options& options,
                                     std::size_t takers);

  /// Where they listen, in the order given, with real ports.
  [[nodiscard]] const std::vector<Address>& addresses() const noexcept { return addresses_; }

  /// Is there one that connections come in by?
  [[nodiscard]] bool has_streams() const noexcept;

  /// The udp ones; their descriptors go with `hand_out`, and stand here for ever.
  [[nodiscard]] const std::vector<DatagramSockets>& datagram_sockets() const noexcept { return datagrams_; }

  /// Of all others each of the `takers` his own, once: from now on whoever takes them closes them.
  [[nodiscard]] std::vector<std::vector<Listener>> hand_out();

  /// A second descriptor for the socket of address `index`, close-on-exec, the caller's to close. Its unix
  /// file, if it has one, is then left for whoever goes on listening. `Error::engine_stopped` after `retire`.
  /// Of udp there is none to have: several loops share the address.
  /// Any thread.
  [[nodiscard]] std::error_code duplicate(std::size_t index, int& fd);

  /// They are about to be closed: no more duplicates, and the files of unix sockets are removed. Any thread;
  /// twice is harmless.
  void retire() noexcept;

 private:
  struct Open {
    std::vector<int> fds;  // One for each taker; of udp none.
    Address address;
    bool has_file = false;  // A unix socket's, which is ours to remove.
    kernel::FileIdentity file{};
  };

  [[nodiscard]] Open& make_place();
  void fill(Open& opened, int fd, const Address& bound) noexcept;
  [[nodiscard]] std::error_code open_place(std::string_view url, const Options& options);
  [[nodiscard]] std::error_code open_datagrams(const net::Endpoint& endpoint, const Options& options);
  [[nodiscard]] std::error_code open_inherited(std::string_view url);
  [[nodiscard]] std::error_code share(Open& opened);

  kernel::Kernel& kernel_;
  std::size_t takers_ = 1;
  std::size_t loops_count_ = 1;
  std::vector<Address> addresses_;
  std::vector<DatagramSockets> datagrams_;
  std::mutex mutex_;         // Holds from the look at `retired_` until the duplicate is made.
  std::vector<Open> open_;   // Under mutex_ once they are handed out.
  bool handed_out_ = false;  // The caller's of `open`, as everything up to `hand_out`.
  bool retired_ = false;     // Under mutex_.
};

}  // namespace ringwire::engine
