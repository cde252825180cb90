// The load generator's sockets: where the server is, and connections to it.
//
// Leaves to others: bytes.
#pragma once

#include "settings.hpp"

#include <sys/socket.h>

#include <cstddef>

namespace load {

/// The server's name, in the kernel's form.
struct Target {
  sockaddr_storage name{};
  socklen_t size = 0;
  bool is_tcp = false;
};

/// Reads the address out of the settings; false when it is none.
bool resolve(const Settings& settings, Target& target);

/// A socket on its way to the target, -1 when the kernel refuses. `nonblocking` ones may still be connecting.
/// TCP connections number `index` of many take turns on source addresses 127.0.0.1 to 127.0.0.16, because one
/// address has 28,000 ports only.
int open_socket(const Target& target, int type, bool nonblocking, std::size_t index);

/// Lets this process have so many descriptors, if it may.
void allow_descriptors(std::size_t count);

}  // namespace load
