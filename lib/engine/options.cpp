// One line per rule, in the order of options.hpp.
#include "lib/engine/options.hpp"

#include <ringwire/error.hpp>

#include "lib/base/error.hpp"

#include <fmt/core.h>

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace ringwire::engine {
namespace {

// Collects the first complaint.
class Checker {
 public:
  void between(std::string_view name, std::int64_t value, std::int64_t least, std::int64_t most) {
    if (error_ || (value >= least && value <= most)) return;
    error_ = base::fail(Error::invalid_option, fmt::format("Options::{} is {}; it must be between {} and {}",
                                                           name, value, least, most));
  }

  void power_of_two(std::string_view name, std::size_t value) {
    if (error_ || std::has_single_bit(value)) return;
    error_ = base::fail(Error::invalid_option,
                        fmt::format("Options::{} is {}; it must be a power of two", name, value));
  }

  void ordered(std::string_view less_name, std::size_t less, std::string_view more_name, std::size_t more) {
    if (error_ || less <= more) return;
    error_ = base::fail(Error::invalid_option,
                        fmt::format("Options::{} is {}, Options::{} is {}; the first must not be larger",
                                    less_name, less, more_name, more));
  }

  void twice(std::string_view less_name, std::size_t less, std::string_view more_name, std::size_t more) {
    if (error_ || less * 2 <= more) return;
    error_ = base::fail(
        Error::invalid_option,
        fmt::format("Options::{} is {}, Options::{} is {}; the second must be at least twice the first",
                    less_name, less, more_name, more));
  }

  [[nodiscard]] std::error_code error() const noexcept { return error_; }

 private:
  std::error_code error_;
};

constexpr std::int64_t most_milliseconds = std::int64_t{1000} * 60 * 60 * 24 * 365;
constexpr std::int64_t any = INT64_MAX;

std::int64_t number(std::size_t value) noexcept {
  return value > static_cast<std::size_t>(any) ? any : static_cast<std::int64_t>(value);
}

}  // namespace

std::error_code check_options(const Options& options) {
  Checker check;
  check.between("loops", number(options.loops), 0, 1024);
  check.between("workers_count", number(options.workers_count), 0, 1024);
  check.between("offload_max", number(options.offload_max), 1, any);
  check.between("idle_timeout", options.idle_timeout.count(), 0, most_milliseconds);
  check.between("read_timeout", options.read_timeout.count(), 0, most_milliseconds);
  check.between("write_timeout", options.write_timeout.count(), 0, most_milliseconds);
  check.between("lifetime", options.lifetime.count(), 0, most_milliseconds);
  check.between("session_timeout", options.session_timeout.count(), 0, most_milliseconds);
  check.between("close_timeout", options.close_timeout.count(), 1, most_milliseconds);
  check.between("stop_timeout", options.stop_timeout.count(), 0, most_milliseconds);
  check.between("connections_max", number(options.connections_max), 1, 1 << 24);
  check.between("balancing", static_cast<std::int64_t>(options.balancing), 0, 2);
  check.ordered("outbound_low_mark", options.outbound_low_mark, "outbound_high_mark",
                options.outbound_high_mark);
  if (options.outbound_limit != 0) {
    check.ordered("outbound_high_mark", options.outbound_high_mark, "outbound_limit", options.outbound_limit);
  }
  check.between("outbound_policy", static_cast<std::int64_t>(options.outbound_policy), 0, 1);
  if (options.datagram_outbound_limit != 0) {
    check.between("datagram_outbound_limit", number(options.datagram_outbound_limit), 512, any);
  }
  check.between("datagram_train_max", number(options.datagram_train_max), 1, 64);
  check.between("sessions_max", number(options.sessions_max), 1, 1 << 24);
  check.between("mailbox_max", number(options.mailbox_max), 1, any);
  check.between("timers_max", number(options.timers_max), 0, 1 << 24);
  check.between("backlog", options.backlog, 1, INT32_MAX);
  check.between("tcp_keepalive", options.tcp_keepalive.count(), 0, 32'767);  // tcp(7)
  check.between("tcp_keepalive_interval", options.tcp_keepalive_interval.count(), 0, 32'767);
  check.between("tcp_keepalive_count", options.tcp_keepalive_count, 0, 127);
  check.between("tcp_user_timeout", options.tcp_user_timeout.count(), 0, INT32_MAX);
  check.between("tcp_defer_accept", options.tcp_defer_accept.count(), 0, 32'767);
  check.between("tcp_fast_open", options.tcp_fast_open, 0, INT32_MAX);
  check.between("socket_recv_buffer_size", number(options.socket_recv_buffer_size), 0, INT32_MAX);
  check.between("socket_send_buffer_size", number(options.socket_send_buffer_size), 0, INT32_MAX);
  check.between("bind_to_device", number(options.bind_to_device.size()), 0, 15);  // IFNAMSIZ
  check.between("multicast_interface", options.multicast_interface, 0, INT32_MAX);
  check.between("kernel", static_cast<std::int64_t>(options.kernel), 0, 2);
  check.between("recv_buffers_count", number(options.recv_buffers_count), 1, 32'768);
  check.power_of_two("recv_buffers_count", options.recv_buffers_count);
  check.between("recv_buffer_size", number(options.recv_buffer_size), 64, 1 << 20);
  if (options.large_recv_buffers_count != 0) {
    check.between("large_recv_buffers_count", number(options.large_recv_buffers_count), 1, 32'768);
    check.power_of_two("large_recv_buffers_count", options.large_recv_buffers_count);
  }
  check.between("large_recv_buffer_size", number(options.large_recv_buffer_size), 64, 1 << 20);
  check.between("datagram_buffers_count", number(options.datagram_buffers_count), 1, 32'768);
  check.power_of_two("datagram_buffers_count", options.datagram_buffers_count);
  check.between("datagram_size_max", number(options.datagram_size_max), 1, 65'535);
  check.between("sq_entries", number(options.sq_entries), 4, 32'768);
  check.power_of_two("sq_entries", options.sq_entries);
  check.between("cq_entries", number(options.cq_entries), 8, 65'536);
  check.power_of_two("cq_entries", options.cq_entries);
  check.twice("sq_entries", options.sq_entries, "cq_entries", options.cq_entries);
  return check.error();
}

std::error_code read_lockdown(kernel::Kernel& kernel, Options& options) {
  const std::string value = kernel.environment("RINGWIRE_LOCKDOWN");
  if (value == "1") options.lockdown = true;
  if (value.empty() || value == "0" || value == "1") return {};
  return base::fail(Error::invalid_option,
                    fmt::format("RINGWIRE_LOCKDOWN is '{}'; it must be 0 or 1", value));
}

std::size_t loops_count(const Options& options, kernel::Kernel& kernel) {
  if (options.loops != 0) return options.loops;
  return options.multicore ? kernel.cpus().size() : 1;
}

base::Log make_log(const Options& options, kernel::Kernel& kernel) {
  return {base::parse_log_level(kernel.environment("RINGWIRE_LOG"), options.log_level), options.log_sink};
}

}  // namespace ringwire::engine
