// Every option at the ends of its range and just beyond, and how many loops options mean.
#include "lib/engine/options.hpp"

#include <ringwire/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/script_kernel.hpp"

#include <functional>
#include <string>
#include <vector>

namespace ringwire::engine {
namespace {

using ringwire::test::contains;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds year{std::int64_t{1000} * 60 * 60 * 24 * 365};

// One setting: what it does to good options, and, when it is refused, what the explanation must say.
struct Setting {
  std::string name;
  std::function<void(Options&)> set;
  std::string says;
};

std::error_code check(const Setting& setting) {
  Options options;
  setting.set(options);
  return check_options(options);
}

TEST_CASE("the defaults are good") {
  CHECK_FALSE(check_options(Options{}));
}

TEST_CASE("both ends of each range are good") {
  const std::vector<Setting> good{
      {"loops 1024", [](Options& o) { o.loops = 1024; }, ""},
      {"idle_timeout max", [](Options& o) { o.idle_timeout = year; }, ""},
      {"read_timeout max", [](Options& o) { o.read_timeout = year; }, ""},
      {"write_timeout max", [](Options& o) { o.write_timeout = year; }, ""},
      {"lifetime max", [](Options& o) { o.lifetime = year; }, ""},
      {"no budget", [](Options& o) { o.send_budget = 0; }, ""},
      {"policy close", [](Options& o) { o.outbound_policy = OutboundPolicy::close; }, ""},
      {"close_timeout 1", [](Options& o) { o.close_timeout = milliseconds{1}; }, ""},
      {"close_timeout max", [](Options& o) { o.close_timeout = year; }, ""},
      {"stop_timeout 0", [](Options& o) { o.stop_timeout = milliseconds{0}; }, ""},
      {"connections_max 1", [](Options& o) { o.connections_max = 1; }, ""},
      {"connections_max max", [](Options& o) { o.connections_max = 1 << 24; }, ""},
      {"inbound_limit 0", [](Options& o) { o.inbound_limit = 0; }, ""},
      {"inbound_limit 1", [](Options& o) { o.inbound_limit = 1; }, ""},
      {"marks equal", [](Options& o) { o.outbound_low_mark = o.outbound_high_mark = o.outbound_limit; }, ""},
      {"no outbound limit", [](Options& o) { o.outbound_limit = 0; }, ""},
      {"datagram_outbound_limit 0", [](Options& o) { o.datagram_outbound_limit = 0; }, ""},
      {"datagram_outbound_limit min", [](Options& o) { o.datagram_outbound_limit = 512; }, ""},
      {"session_timeout 0", [](Options& o) { o.session_timeout = std::chrono::milliseconds{0}; }, ""},
      {"datagram_train_max 1", [](Options& o) { o.datagram_train_max = 1; }, ""},
      {"datagram_train_max 64", [](Options& o) { o.datagram_train_max = 64; }, ""},
      {"sessions_max 1", [](Options& o) { o.sessions_max = 1; }, ""},
      {"datagram_buffers_count 1", [](Options& o) { o.datagram_buffers_count = 1; }, ""},
      {"datagram_buffers_count max", [](Options& o) { o.datagram_buffers_count = 32'768; }, ""},
      {"datagram_size_max 1", [](Options& o) { o.datagram_size_max = 1; }, ""},
      {"datagram_size_max max", [](Options& o) { o.datagram_size_max = 65'535; }, ""},
      {"mailbox_max 1", [](Options& o) { o.mailbox_max = 1; }, ""},
      {"mailbox_max max", [](Options& o) { o.mailbox_max = SIZE_MAX; }, ""},
      {"backlog 1", [](Options& o) { o.backlog = 1; }, ""},
      {"tcp_keepalive_count max", [](Options& o) { o.tcp_keepalive_count = 127; }, ""},
      {"bind_to_device max", [](Options& o) { o.bind_to_device = "123456789012345"; }, ""},
      {"tcp_keepalive max", [](Options& o) { o.tcp_keepalive = seconds{32'767}; }, ""},
      {"recv_buffers_count 1", [](Options& o) { o.recv_buffers_count = 1; }, ""},
      {"recv_buffers_count max", [](Options& o) { o.recv_buffers_count = 32'768; }, ""},
      {"large_recv_buffers_count 0", [](Options& o) { o.large_recv_buffers_count = 0; }, ""},
      {"large_recv_buffers_count max", [](Options& o) { o.large_recv_buffers_count = 32'768; }, ""},
      {"large_recv_buffer_size 64", [](Options& o) { o.large_recv_buffer_size = 64; }, ""},
      {"recv_buffer_size 64", [](Options& o) { o.recv_buffer_size = 64; }, ""},
      {"recv_buffer_size odd", [](Options& o) { o.recv_buffer_size = 1'000'003; }, ""},
      {"recv_buffer_size max", [](Options& o) { o.recv_buffer_size = 1 << 20; }, ""},
      {"kernel epoll", [](Options& o) { o.kernel = KernelChoice::epoll; }, ""},
      {"smallest ring", [](Options& o) { o.sq_entries = 4, o.cq_entries = 8; }, ""},
      {"largest ring", [](Options& o) { o.sq_entries = 32'768, o.cq_entries = 65'536; }, ""},
  };
  for (const Setting& setting : good) {
    INFO(setting.name);
    CHECK_FALSE(check(setting));
  }
}

TEST_CASE("a value beyond its range is refused, with its name, value and range") {
  const std::vector<Setting> bad{
      {"loops", [](Options& o) { o.loops = 1025; }, "is 1025; it must be between 0 and 1024"},
      {"loops", [](Options& o) { o.loops = SIZE_MAX; }, "between 0 and 1024"},
      {"idle_timeout", [](Options& o) { o.idle_timeout = milliseconds{-1}; }, "is -1"},
      {"idle_timeout", [](Options& o) { o.idle_timeout = year + milliseconds{1}; }, "between 0 and"},
      {"read_timeout", [](Options& o) { o.read_timeout = milliseconds{-1}; }, "is -1"},
      {"write_timeout", [](Options& o) { o.write_timeout = year + milliseconds{1}; }, "between 0 and"},
      {"lifetime", [](Options& o) { o.lifetime = milliseconds{-2}; }, "is -2"},
      {"outbound_policy", [](Options& o) { o.outbound_policy = static_cast<OutboundPolicy>(2); }, "is 2"},
      {"close_timeout", [](Options& o) { o.close_timeout = milliseconds{0}; }, "is 0; it must be between 1"},
      {"stop_timeout", [](Options& o) { o.stop_timeout = milliseconds{-1}; }, "between 0 and"},
      {"connections_max", [](Options& o) { o.connections_max = 0; }, "between 1 and 16777216"},
      {"connections_max", [](Options& o) { o.connections_max = (1 << 24) + 1; }, "between 1 and 16777216"},
      {"datagram_outbound_limit", [](Options& o) { o.datagram_outbound_limit = 511; }, "between 512 and"},
      {"session_timeout", [](Options& o) { o.session_timeout = std::chrono::milliseconds{-1}; },
       "between 0 and"},
      {"datagram_train_max", [](Options& o) { o.datagram_train_max = 0; }, "between 1 and 64"},
      {"datagram_train_max", [](Options& o) { o.datagram_train_max = 65; }, "between 1 and 64"},
      {"sessions_max", [](Options& o) { o.sessions_max = 0; }, "between 1 and 16777216"},
      {"datagram_buffers_count", [](Options& o) { o.datagram_buffers_count = 0; }, "between 1 and 32768"},
      {"datagram_buffers_count", [](Options& o) { o.datagram_buffers_count = 3; }, "power of two"},
      {"datagram_size_max", [](Options& o) { o.datagram_size_max = 0; }, "between 1 and 65535"},
      {"datagram_size_max", [](Options& o) { o.datagram_size_max = 65'536; }, "between 1 and 65535"},
      {"mailbox_max", [](Options& o) { o.mailbox_max = 0; }, "between 1 and"},
      {"backlog", [](Options& o) { o.backlog = 0; }, "between 1 and"},
      {"backlog", [](Options& o) { o.backlog = -5; }, "is -5"},
      {"tcp_keepalive", [](Options& o) { o.tcp_keepalive = seconds{32'768}; }, "between 0 and 32767"},
      {"tcp_keepalive", [](Options& o) { o.tcp_keepalive = seconds{-1}; }, "is -1"},
      {"tcp_keepalive_interval", [](Options& o) { o.tcp_keepalive_interval = seconds{32'768}; },
       "between 0 and 32767"},
      {"tcp_keepalive_count", [](Options& o) { o.tcp_keepalive_count = 128; }, "between 0 and 127"},
      {"tcp_user_timeout", [](Options& o) { o.tcp_user_timeout = seconds{-1}; }, "is -1000"},
      {"tcp_defer_accept", [](Options& o) { o.tcp_defer_accept = seconds{-1}; }, "is -1"},
      {"tcp_fast_open", [](Options& o) { o.tcp_fast_open = -1; }, "is -1"},
      {"socket_recv_buffer_size", [](Options& o) { o.socket_recv_buffer_size = SIZE_MAX; }, "between 0 and"},
      {"socket_send_buffer_size", [](Options& o) { o.socket_send_buffer_size = SIZE_MAX; }, "between 0 and"},
      {"bind_to_device", [](Options& o) { o.bind_to_device = "1234567890123456"; }, "between 0 and 15"},
      {"multicast_interface", [](Options& o) { o.multicast_interface = 1U << 31; }, "between 0 and"},
      {"kernel", [](Options& o) { o.kernel = static_cast<KernelChoice>(3); },
       "is 3; it must be between 0 and 2"},
      {"recv_buffers_count", [](Options& o) { o.recv_buffers_count = 0; }, "between 1 and 32768"},
      {"recv_buffers_count", [](Options& o) { o.recv_buffers_count = 65'536; }, "between 1 and 32768"},
      {"recv_buffers_count", [](Options& o) { o.recv_buffers_count = 1000; },
       "is 1000; it must be a power of two"},
      {"large_recv_buffers_count", [](Options& o) { o.large_recv_buffers_count = 65'536; },
       "between 1 and 32768"},
      {"large_recv_buffers_count", [](Options& o) { o.large_recv_buffers_count = 3; }, "a power of two"},
      {"large_recv_buffer_size", [](Options& o) { o.large_recv_buffer_size = 63; }, "between 64 and 1048576"},
      {"recv_buffer_size", [](Options& o) { o.recv_buffer_size = 63; }, "between 64 and 1048576"},
      {"recv_buffer_size", [](Options& o) { o.recv_buffer_size = (1 << 20) + 1; }, "between 64 and 1048576"},
      {"sq_entries", [](Options& o) { o.sq_entries = 2; }, "between 4 and 32768"},
      {"sq_entries", [](Options& o) { o.sq_entries = 1000; }, "power of two"},
      {"cq_entries", [](Options& o) { o.cq_entries = 131'072; }, "between 8 and 65536"},
      {"cq_entries", [](Options& o) { o.cq_entries = 8191; }, "power of two"},
  };
  for (const Setting& setting : bad) {
    INFO(setting.name << ": " << setting.says);
    const std::error_code error = check(setting);
    CHECK(error == Error::invalid_option);
    CHECK_THAT(explain(error), contains("Options::" + setting.name + " ") && contains(setting.says));
  }
}

TEST_CASE("marks in the wrong order are refused with both names and values") {
  Options options;
  options.outbound_low_mark = 11;
  options.outbound_high_mark = 10;
  std::error_code error = check_options(options);
  CHECK(error == Error::invalid_option);
  CHECK_THAT(explain(error), contains("outbound_low_mark is 11") && contains("outbound_high_mark is 10"));

  options = Options{};
  options.outbound_limit = options.outbound_high_mark - 1;
  error = check_options(options);
  CHECK(error == Error::invalid_option);
  CHECK_THAT(explain(error), contains("outbound_high_mark is") && contains("outbound_limit is"));
}

TEST_CASE(
    "a completion queue of less than twice the requests is refused, with the values as they were given") {
  Options options;
  options.sq_entries = 1024;
  options.cq_entries = 1024;
  const std::error_code error = check_options(options);
  CHECK(error == Error::invalid_option);
  CHECK_THAT(explain(error), contains("sq_entries is 1024") && contains("cq_entries is 1024"));
}

TEST_CASE("of several bad options the first is named") {
  Options options;
  options.backlog = 0;
  options.loops = 5000;
  CHECK_THAT(explain(check_options(options)), contains("Options::loops"));
}

TEST_CASE("RINGWIRE_LOCKDOWN turns lockdown on, and never off") {
  for (const bool option : {false, true}) {
    test::ScriptKernel kernel;
    Options options;
    options.lockdown = option;
    CHECK_FALSE(read_lockdown(kernel, options));
    CHECK(options.lockdown == option);
    kernel.variables["RINGWIRE_LOCKDOWN"] = "0";
    CHECK_FALSE(read_lockdown(kernel, options));
    CHECK(options.lockdown == option);
    kernel.variables["RINGWIRE_LOCKDOWN"] = "1";
    CHECK_FALSE(read_lockdown(kernel, options));
    CHECK(options.lockdown);
  }
}

TEST_CASE("RINGWIRE_LOCKDOWN with any other value is refused, so that no lockdown is missed by a typo") {
  for (const std::string value : {"yes", "true", "2", " 1", "on"}) {
    test::ScriptKernel kernel;
    kernel.variables["RINGWIRE_LOCKDOWN"] = value;
    Options options;
    const std::error_code error = read_lockdown(kernel, options);
    CHECK(error == Error::invalid_option);
    CHECK_THAT(explain(error), contains("RINGWIRE_LOCKDOWN is '" + value + "'"));
  }
}

TEST_CASE("loops are counted by the option, else by the CPUs, else one") {
  test::ScriptKernel kernel;  // Two CPUs.
  Options options;
  CHECK(loops_count(options, kernel) == 1);
  options.multicore = true;
  CHECK(loops_count(options, kernel) == 2);
  options.loops = 5;
  CHECK(loops_count(options, kernel) == 5);
  options.multicore = false;
  CHECK(loops_count(options, kernel) == 5);
}

}  // namespace
}  // namespace ringwire::engine
