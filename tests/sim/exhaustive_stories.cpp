// The stories: between them accept, traffic, pauses, every way to close, and the cancels that race with it.
#include "tests/sim/exhaustive.hpp"

namespace ringwire::test {
namespace {

using kernel::sim::Fault;
using Kind = Deed::Kind;
using End = Part::End;

constexpr Deed connect{Kind::connect};
constexpr Deed finish{Kind::finish};
constexpr Deed reset{Kind::reset};
constexpr Deed stall{Kind::stall};
constexpr Deed read{Kind::read};
constexpr Deed stop{Kind::stop_engine};

constexpr Deed send(std::size_t size, std::size_t after = 0) {
  return {Kind::send, size, after};
}

const std::vector<Fault> cancels{Fault::cancel_late, Fault::cancel_missed, Fault::cancel_reordered};

std::vector<Fault> with_cancels(std::initializer_list<Fault> more) {
  std::vector<Fault> all{more};
  all.insert(all.end(), cancels.begin(), cancels.end());
  return all;
}

// Clients come, and are answered.
void add_traffic(std::vector<Story>& all) {
  all.push_back({.name = "accept",
                 .clients = {{{connect, send(20), finish}, {connect, finish}}},
                 .handler = {.answer = 10},
                 .faults = {Fault::accept_ends, Fault::accept_fails, Fault::burst, Fault::enter_interrupted},
                 .depth = 5});
  all.push_back({.name = "submit",
                 .clients = {{{connect, send(40), finish}, {connect, send(40), finish}}},
                 .handler = {.greeting = 10, .answer = 10},
                 .faults = {Fault::submit_partly, Fault::enter_interrupted, Fault::enter_busy},
                 .depth = 3});
  all.push_back({.name = "traffic",
                 .clients = {{{connect, send(70), send(30, 40), finish}, {connect, send(50), finish}}},
                 .handler = {.answer = 60, .last_words = 10},
                 .faults = {Fault::short_recv, Fault::short_send, Fault::recv_ends, Fault::recv_ends_empty}});
  all.push_back({.name = "buffers",
                 .clients = {{{connect, send(100), finish}, {connect, send(100), reset}}},
                 .handler = {.leaves = 2},
                 .faults = {Fault::starved, Fault::recv_ends, Fault::recv_ends_empty, Fault::burst},
                 .recv_buffers = 1});
  all.push_back({.name = "pause",
                 .clients = {{{connect, send(100), send(70), finish}, {connect, send(120), reset}}},
                 .handler = {.answer = 5, .leaves = 2},
                 .faults = with_cancels({Fault::recv_ends}),
                 .inbound_limit = 64});
  all.push_back({.name = "errors",
                 .clients = {{{connect, send(40), finish}, {connect, send(40), finish}}},
                 .handler = {.answer = 80},
                 .faults = {Fault::recv_fails, Fault::send_fails, Fault::call_fails}});
}

// Both ends close, with bytes still to go.
void add_endings(std::vector<Story>& all) {
  all.push_back({.name = "close-pending",
                 .clients = {{{connect, stall, send(20), finish, read}, {connect, send(20), finish}}},
                 .handler = {.greeting = 90, .answer = 20, .end = End::close},
                 .faults = with_cancels({Fault::short_send, Fault::close_fails})});
  all.push_back({.name = "close-reset",
                 .clients = {{{connect, stall, send(20), reset}, {connect, send(20), reset}}},
                 .handler = {.greeting = 90, .end = End::close},
                 .faults = with_cancels({Fault::short_send})});
  all.push_back({.name = "abort",
                 .clients = {{{connect, stall, send(40), finish}, {connect, send(40), reset}}},
                 .handler = {.answer = 90, .end = End::abort},
                 .faults = with_cancels({Fault::close_fails})});
  all.push_back(
      {.name = "shut-write",
       .clients = {{{connect, send(20), send(20), finish}, {connect, send(20), stall, finish, read}}},
       .handler = {.greeting = 80, .end = End::shut_write},
       .faults = with_cancels({Fault::short_send, Fault::recv_ends_empty})});
  all.push_back({.name = "throw",
                 .clients = {{{connect, finish}, {connect, send(20), reset}}},
                 .handler = {.greeting = 70, .end = End::raise, .end_at = 0},
                 .faults = with_cancels({Fault::close_fails})});
  all.push_back({.name = "close-timeout",
                 .clients = {{{connect, stall, send(20)}, {connect, send(20), stall, finish}}},
                 .handler = {.greeting = 150, .end = End::close},
                 .faults = with_cancels({}),
                 .depth = 3,
                 .time_passes = true,
                 .close_timeout = std::chrono::milliseconds{20}});
  all.push_back({.name = "stop",
                 .clients = {{{connect, stall, send(40), stop}, {connect, send(40), finish}}},
                 .handler = {.greeting = 40, .answer = 60},
                 .faults = with_cancels({Fault::accept_ends, Fault::enter_interrupted})});
}

}  // namespace

const std::vector<Story>& stories() {
  static const std::vector<Story> all = [] {
    std::vector<Story> made;
    add_traffic(made);
    add_endings(made);
    return made;
  }();
  return all;
}

}  // namespace ringwire::test
