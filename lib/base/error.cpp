// The words of every failure: what went wrong in a phrase, and what to do about it.
//
// Leaves to others: finding the particulars; they come in through `base::fail`.
#include "lib/base/error.hpp"

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace ringwire {
namespace {

// The end of `explain`: why this happens and what helps. Whole sentences.
std::string_view advice_for(Error error) {
  switch (error) {
    case Error::end_of_stream:
      return "The peer has sent all it wanted to send; this is how most connections end.";
    case Error::closed:
      return "It ended before the request reached it. Check the connection's on_close for the reason, and "
             "forget the "
             "handle there.";
    case Error::idle_timeout:
      return "Nothing was received or sent for as long as Options::idle_timeout or Conn::set_idle_timeout "
             "allow. Raise "
             "it, or let the peers send something in between.";
    case Error::read_timeout:
      return "The peer sent nothing for as long as Options::read_timeout or Conn::set_read_timeout allow, "
             "while we received. Raise it, or let the peer send something in between; Conn::pause stops the "
             "clock.";
    case Error::write_timeout:
      return "The peer read nothing of what waited for it for as long as Options::write_timeout or "
             "Conn::set_write_timeout allow, so it was reset. Raise it for peers that pause for long.";
    case Error::outbound_limit:
      return "The peer reads more slowly than we write. Stop at Written::above_high_mark until on_writable, "
             "raise Options::outbound_limit or send_budget, or have Options::outbound_policy refuse instead.";
    case Error::lifetime_ended:
      return "It was open for as long as Options::lifetime or Conn::set_lifetime allow; what was written was "
             "delivered. The peer may connect again.";
    case Error::close_timeout:
      return "The peer did not read the rest, or did not close its side, in time. Raise "
             "Options::close_timeout if slow "
             "peers are to get everything.";
    case Error::handler_failed:
      return "Only its connection was closed; the log has the exception's text. Catch it inside the handler.";
    case Error::engine_stopped:
      return "Nothing more is started or sent. Start a new engine with run.";
    case Error::invalid_address:
      return "An address is written protocol://host:port, as in tcp://:9000, tcp4://127.0.0.1:9000 or "
             "tcp://[::1]:9000; port 0 lets the kernel choose. A unix socket is unix:///run/server.sock, or "
             "unix://@name without a file.";
    case Error::unsupported_protocol:
      return "Use tcp:// (IPv6 and IPv4), tcp4://, tcp6:// or unix://; for datagrams udp://, udp4:// or "
             "udp6://, which are listened on and not connected to.";
    case Error::invalid_option:
      return "The limits stand beside each option in ringwire/options.hpp.";
    case Error::kernel_too_old:
      return "What ringwire asks of io_uring is in Linux 6.1 and newer (CONFIG_IO_URING); `uname -r` says "
             "which kernel runs. In a container it is the host's kernel that counts.";
    case Error::io_uring_forbidden:
      return "Either the administrator switched it off: `sysctl kernel.io_uring_disabled` must say 0 (1 "
             "allows only the "
             "group in kernel.io_uring_group). Or a container's seccomp profile blocks it: Docker's and "
             "containerd's "
             "default profiles do; start with --security-opt seccomp=PROFILE.json, a profile that allows "
             "io_uring_setup, "
             "io_uring_enter and io_uring_register.";
    case Error::memlock_too_small:
      return "Rings and receive buffers are locked memory. Raise the limit (`ulimit -l`, LimitMEMLOCK= in a "
             "systemd unit, "
             "--ulimit memlock= in Docker), or need less: fewer loops, or smaller "
             "Options::recv_buffers_count or "
             "cq_entries.";
    case Error::lockdown_failed:
      return "Options::lockdown (or RINGWIRE_LOCKDOWN) needs io_uring restrictions (Linux 5.10) and seccomp "
             "filters (CONFIG_SECCOMP_FILTER), and a container's profile must let seccomp and prctl pass. "
             "Nothing is served half locked down: allow these, or start without the option.";
  }
  return {};
}

// The same for errno values a server meets when it starts, or a client when it connects.
std::string_view advice_for(std::errc error) {
  switch (error) {
    case std::errc::address_in_use:
      return "Another socket listens there; `ss -ltnp` (of unix sockets `ss -lxp`) shows whose. Stop it, or "
             "take another port; port 0 lets the kernel choose.";
    case std::errc::permission_denied:
      return "Ports below 1024 need a privilege: take a higher one, or grant CAP_NET_BIND_SERVICE, or lower "
             "`sysctl "
             "net.ipv4.ip_unprivileged_port_start`. A unix socket needs a directory this user may write.";
    case std::errc::too_many_files_open:
      return "This process may not open more descriptors. Raise the limit (`ulimit -n`, LimitNOFILE= in a "
             "systemd unit); "
             "each connection needs one.";
    case std::errc::too_many_files_open_in_system:
      return "The whole machine has no descriptor left. Raise `sysctl fs.file-max`, or find who holds them.";
    case std::errc::address_not_available:
      return "No interface of this machine has that address; `ip address` lists them. Leave the host out to "
             "take all.";
    case std::errc::address_family_not_supported:
      return "This kernel runs without that version of IP. Use tcp4:// where there is no IPv6.";
    case std::errc::connection_refused:
      return "The machine answers, but nothing listens on that port. Start the server first, and compare "
             "host and port.";
    case std::errc::no_such_file_or_directory:
      return "A unix socket is made in a directory that exists, and connected to where a server has made "
             "one.";
    case std::errc::not_enough_memory:
      return "The kernel or this process has no memory left. Need less (fewer loops, smaller buffers), or "
             "raise the limit "
             "of the container or cgroup.";
    default:
      return {};
  }
}

std::string_view advice_for(std::error_code code) {
  if (code.category() == error_category()) return advice_for(static_cast<Error>(code.value()));
  const std::error_condition condition = code.default_error_condition();
  if (condition.category() != std::generic_category()) return {};
  return advice_for(static_cast<std::errc>(condition.value()));
}

std::string_view name_of(Error error) {
  switch (error) {
    case Error::end_of_stream:
      return "the peer ended the stream";
    case Error::closed:
      return "the connection or its loop is gone";
    case Error::idle_timeout:
      return "the connection was idle for too long";
    case Error::read_timeout:
      return "the peer sent nothing for too long";
    case Error::write_timeout:
      return "the peer took nothing for too long";
    case Error::outbound_limit:
      return "too many bytes waited for the peer";
    case Error::lifetime_ended:
      return "the connection's time was over";
    case Error::close_timeout:
      return "the peer did not let the connection close in time";
    case Error::handler_failed:
      return "an exception left the handler";
    case Error::engine_stopped:
      return "the engine has stopped";
    case Error::invalid_address:
      return "invalid address";
    case Error::unsupported_protocol:
      return "unsupported protocol";
    case Error::invalid_option:
      return "an option is outside its range";
    case Error::kernel_too_old:
      return "the kernel is too old";
    case Error::io_uring_forbidden:
      return "io_uring is forbidden to this process";
    case Error::memlock_too_small:
      return "the limit on locked memory is too small";
    case Error::lockdown_failed:
      return "the lockdown that was asked for cannot be had";
  }
  return "unknown error";
}

class Category : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "ringwire"; }
  [[nodiscard]] std::string message(int value) const override {
    return std::string{name_of(static_cast<Error>(value))};
  }
};

struct Failure {
  std::error_code code;
  std::string detail;
};

thread_local Failure last_failure;

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::error_code make_error_code(Error error) noexcept {
  return {static_cast<int>(error), error_category()};
}

std::string explain(std::error_code error) {
  if (!error) return "no error";
  const bool known = error == last_failure.code && !last_failure.detail.empty();
  const std::string_view advice = advice_for(error);
  return fmt::format("{}.{}{}", known ? last_failure.detail : error.message(), advice.empty() ? "" : " ",
                     advice);
}

namespace base {

std::error_code fail(std::error_code code, std::string detail) noexcept {
  last_failure = {code, std::move(detail)};
  return code;
}

std::string last_detail(std::error_code code) {
  return code == last_failure.code ? last_failure.detail : std::string{};
}

}  // namespace base
}  // namespace ringwire
