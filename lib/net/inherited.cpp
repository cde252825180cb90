// Numbers from an address or from the environment, and what must be true of them.
#include "lib/net/inherited.hpp"

#include "lib/base/error.hpp"
#include "lib/net/address.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <climits>
#include <optional>
#include <string>

namespace ringwire::net {
namespace {

constexpr std::string_view fd_prefix = "fd://";
constexpr std::string_view systemd_prefix = "systemd://";
constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START

std::error_code failed(std::string_view url, int given, int result, std::string_view fault) {
  const std::error_code code = base::to_error(result);
  return base::fail(code, fmt::format("{}: descriptor {}: {}{}", url, given, code.message(), fault));
}

std::optional<int> parse_int(std::string_view text) noexcept {
  const auto number = parse_number(text, INT_MAX);
  return number ? std::optional{static_cast<int>(*number)} : std::nullopt;
}

std::error_code find_systemd(kernel::Kernel& kernel, std::string_view url, std::vector<int>& descriptors) {
  const std::string pid = kernel.environment("LISTEN_PID");
  const std::string count_text = kernel.environment("LISTEN_FDS");
  if (pid.empty() || count_text.empty()) {
    return invalid_address(url, "LISTEN_PID and LISTEN_FDS are not set: nobody has left sockets here");
  }
  if (parse_int(pid) != kernel.process_id()) {
    return invalid_address(url, fmt::format("LISTEN_PID is {}: the sockets are another process's", pid));
  }
  const auto count = parse_int(count_text);
  if (!count || *count == 0 || *count > INT_MAX - first_descriptor) {
    return invalid_address(url, fmt::format("LISTEN_FDS is '{}': that is no number of sockets", count_text));
  }

  const std::string_view wanted = url.substr(systemd_prefix.size());
  const std::string names = kernel.environment("LISTEN_FDNAMES");
  std::string_view rest = names;
  const std::size_t before = descriptors.size();
  for (int index = 0; index < *count; ++index) {
    const std::size_t colon = rest.find(':');
    const std::string_view name = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    if (wanted.empty() || name == wanted) descriptors.push_back(first_descriptor + index);
  }
  if (descriptors.size() != before) return {};
  return invalid_address(url, fmt::format("LISTEN_FDNAMES is '{}': none of them has that name", names));
}

}  // namespace

bool is_inherited(std::string_view url) noexcept {
  return url.starts_with(fd_prefix) || url.starts_with(systemd_prefix);
}

std::error_code find_inherited(kernel::Kernel& kernel, std::string_view url, std::vector<int>& descriptors) {
  if (url.starts_with(systemd_prefix)) return find_systemd(kernel, url, descriptors);
  const auto number = parse_int(url.substr(fd_prefix.size()));
  if (!number) return invalid_address(url, "a descriptor is a number, as in fd://3");
  descriptors.push_back(*number);
  return {};
}

std::error_code adopt_listener(kernel::Kernel& kernel, std::string_view url, int given, int& fd,
                               Address& bound) {
  int listens = 0;
  socklen_t size = sizeof listens;
  int result = kernel.get_option(given, SOL_SOCKET, SO_ACCEPTCONN, &listens, size);
  if (result == -EBADF) return failed(url, given, result, "; nothing is open there");
  if (result < 0) return failed(url, given, result, "");
  int type = 0;
  size = sizeof type;
  if (kernel.get_option(given, SOL_SOCKET, SO_TYPE, &type, size) < 0 || type != SOCK_STREAM || listens == 0) {
    return failed(url, given, -EINVAL, "; it is no stream socket that listens");
  }
  kernel::SocketName name;
  result = kernel.local_name(given, name);
  if (result < 0) return failed(url, given, result, "");
  const Address address = to_address(name);
  if (address.family == Address::Family::none) {
    return failed(url, given, -EAFNOSUPPORT, "; it is neither TCP nor a unix socket");
  }

  result = kernel.duplicate(given);
  if (result < 0) return failed(url, given, result, "");
  kernel.close(given);
  fd = result;
  bound = address;
  return {};
}

}  // namespace ringwire::net
