// Addresses, and what must be true of each that is taken.
#include "lib/net/address.hpp"
#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"
#include "lib/kernel/sim/sim_kernel.hpp"
#include "lib/net/unix.hpp"
#include "tests/fuzz/targets.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <string>
#include <vector>

namespace ringwire::test {
namespace {

constexpr std::string_view untouched = "as before";

void check_refusal(std::error_code error, const net::Endpoint& endpoint) {
  RINGWIRE_ASSERT(error == Error::invalid_address || error == Error::unsupported_protocol,
                  "refused as \"{}\"", error.message());
  RINGWIRE_ASSERT(endpoint.text == untouched, "a refused address was kept");
}

// What is written as an address comes back from its text as the same one.
void check_round_trip(const Address& address) {
  const bool is_unix = address.family == Address::Family::unix_socket;
  const std::string text = is_unix ? "unix://" + address.host() : "tcp://" + address.to_string();
  net::Endpoint endpoint;
  const std::error_code error = net::parse_endpoint(text, endpoint);
  RINGWIRE_ASSERT(!error, "{} was read, and cannot be read again: {}", text, error.message());

  kernel::sim::ListChoices none{{}};
  kernel::sim::SimKernel kernel{none};
  std::vector<Address> again;
  RINGWIRE_ASSERT(!net::resolve(kernel, endpoint, again), "{} is not numeric any more", text);
  RINGWIRE_ASSERT(again.size() == 1 && again.front() == address, "{} came back as {}", text,
                  again.front().to_string());
  RINGWIRE_ASSERT(net::to_address(net::to_name(address)) == address, "{} does not survive the kernel", text);
}

}  // namespace

void fuzz_address(std::span<const std::uint8_t> input) {
  const std::string url{input.begin(), input.end()};
  net::Endpoint endpoint;
  endpoint.text = untouched;
  if (const std::error_code error = net::parse_endpoint(url, endpoint)) return check_refusal(error, endpoint);
  RINGWIRE_ASSERT(endpoint.text == url, "another text is kept than was given");
  if (endpoint.family == net::Endpoint::Family::unix_socket) {
    RINGWIRE_ASSERT(endpoint.host.size() <= 108, "a unix name of {} bytes was taken", endpoint.host.size());
    return check_round_trip(net::to_unix_address(endpoint.host));
  }
  RINGWIRE_ASSERT(endpoint.host.size() <= 253, "a host of {} bytes was taken", endpoint.host.size());
  RINGWIRE_ASSERT(endpoint.host.find_first_of("/[]\t\n ") == std::string::npos, "a host was taken as '{}'",
                  endpoint.host);

  kernel::sim::ListChoices none{{}};  // It knows no name but localhost.
  kernel::sim::SimKernel kernel{none};
  std::vector<Address> addresses;
  if (net::resolve(kernel, endpoint, addresses)) return;
  RINGWIRE_ASSERT(!addresses.empty(), "{} means nothing, without an error", url);
  for (const Address& address : addresses) {
    RINGWIRE_ASSERT(address.port == endpoint.port, "{} lost its port", url);
    const bool is_ipv4 = address.family == Address::Family::ipv4;
    RINGWIRE_ASSERT(endpoint.family != net::Endpoint::Family::ipv4 || is_ipv4, "tcp4 became IPv6: {}", url);
    RINGWIRE_ASSERT(endpoint.family != net::Endpoint::Family::ipv6 || !is_ipv4, "tcp6 became IPv4: {}", url);
    check_round_trip(address);
  }
}

}  // namespace ringwire::test
