// Drawing a plan: small limits are the rule, because large ones are never reached.
#include "tests/sim/plan.hpp"

#include <algorithm>

namespace ringwire::test {
namespace {

using kernel::sim::Choices;
using kernel::sim::Fault;

template <typename T, std::size_t N>
T pick(Choices& choices, const std::array<T, N>& from) {
  return from[choices.draw(N)];
}

void draw_options(Choices& choices, Plan& plan) {
  using std::chrono::milliseconds;
  Options& options = plan.options;
  options.loops = pick(choices, std::array<std::size_t, 4>{1, 2, 1, 3});
  options.balancing =
      pick(choices, std::array{Balancing::round_robin, Balancing::least_connections, Balancing::source_hash});
  options.reuse_port = choices.draw(5) == 1;
  plan.has_policy = choices.draw(5) == 1;
  plan.client_hosts = pick(choices, std::array<std::uint8_t, 3>{1, 3, 5});
  options.engine_connections_max = pick(choices, std::array<std::size_t, 5>{0, 0, 0, 1, 3});
  options.connections_per_ip_max = pick(choices, std::array<std::size_t, 5>{0, 0, 0, 1, 2});
  options.recv_buffers_count = pick(choices, std::array<std::size_t, 4>{4, 1, 2, 16});
  options.recv_buffer_size = pick(choices, std::array<std::size_t, 3>{64, 100, 256});
  options.large_recv_buffers_count = pick(choices, std::array<std::size_t, 3>{2, 0, 1});
  options.large_recv_buffer_size = pick(choices, std::array<std::size_t, 2>{400, 2048});
  options.sq_entries = pick(choices, std::array<std::size_t, 3>{8, 4, 32});
  options.cq_entries = options.sq_entries * pick(choices, std::array<std::size_t, 2>{4, 2});
  options.inbound_limit = pick(choices, std::array<std::size_t, 4>{500, 64, 200, 0});
  options.outbound_limit = pick(choices, std::array<std::size_t, 4>{2000, 300, 0, 1000});
  options.outbound_high_mark = pick(choices, std::array<std::size_t, 3>{300, 64, 150});
  options.outbound_low_mark = pick(choices, std::array<std::size_t, 3>{64, 0, 30});
  options.send_budget = pick(choices, std::array<std::size_t, 3>{1 << 30, 20'000, 0});
  options.outbound_policy = choices.draw(4) == 1 ? OutboundPolicy::close : OutboundPolicy::refuse;
  options.redeliver = choices.draw(3) == 1;
  options.connections_max = pick(choices, std::array<std::size_t, 3>{100, 100, 2});
  options.mailbox_max = pick(choices, std::array<std::size_t, 3>{1000, 1000, 2});
  options.timers_max = pick(choices, std::array<std::size_t, 3>{100, 100, 3});
  options.backlog = pick(choices, std::array<int, 2>{16, 2});
  options.idle_timeout = milliseconds{pick(choices, std::array{0, 0, 60})};
  options.read_timeout = milliseconds{pick(choices, std::array{0, 0, 0, 50})};
  options.write_timeout = milliseconds{pick(choices, std::array{0, 0, 0, 40})};
  options.lifetime = milliseconds{pick(choices, std::array{0, 0, 0, 0, 200})};
  options.close_timeout = milliseconds{pick(choices, std::array{5000, 30})};
  options.stop_timeout = milliseconds{pick(choices, std::array{1000, 0, 30})};
  options.tcp_keepalive = std::chrono::seconds{pick(choices, std::array{0, 30})};
  options.ticker = choices.draw(2) == 1;
  options.stop_on_signal = choices.draw(4) == 1;
  options.workers_count = pick(choices, std::array<std::size_t, 3>{0, 0, 2});
  options.offload_max = pick(choices, std::array<std::size_t, 2>{10, 1});
  options.log_level = LogLevel::off;
}

// Features of the kernel, and those of them that are masked.
void draw_features(Choices& choices, Plan& plan) {
  constexpr unsigned no_iowait = 1U << 17;
  plan.ring_features = choices.draw(2) == 0 ? no_iowait : 0;
  plan.wakes = choices.draw(3) != 1;
  for (const std::string_view name :
       {"defer_taskrun", "registered_ring", "no_iowait", "wake_ring", "recv_credit"}) {
    if (choices.draw(5) == 1) plan.mask += std::string{name} + ",";
  }
  plan.options.mask = plan.mask;
}

// Half of the kinds, each with a rate of its own; no kind is left out by all runs.
void draw_faults(Choices& choices, Plan& plan) {
  for (std::uint32_t& rate : plan.fault_rates) {
    if (choices.draw(2) == 1) rate = pick(choices, std::array<std::uint32_t, 4>{20, 5, 80, 200});
  }
  const auto rate_of = [&](Fault fault) -> std::uint32_t& {
    return plan.fault_rates[static_cast<std::size_t>(fault)];
  };
  rate_of(Fault::inline_attempt) = pick(choices, std::array<std::uint32_t, 3>{0, 500, 900});
  rate_of(Fault::burst) = pick(choices, std::array<std::uint32_t, 3>{0, 300, 800});
  // These end connections, so that little is left to see when they are frequent.
  for (const Fault fault : {Fault::recv_fails, Fault::send_fails, Fault::call_fails}) {
    rate_of(fault) = std::min<std::uint32_t>(rate_of(fault), 20);
  }
}

void only(Plan& plan, std::initializer_list<Fault> faults) {
  auto wanted = std::array<std::uint32_t, kernel::sim::faults_count>{};
  for (const Fault fault : faults) wanted[static_cast<std::size_t>(fault)] = 100;
  const auto inline_index = static_cast<std::size_t>(Fault::inline_attempt);
  const auto burst_index = static_cast<std::size_t>(Fault::burst);
  wanted[inline_index] = plan.fault_rates[inline_index];
  wanted[burst_index] = plan.fault_rates[burst_index];
  plan.fault_rates = wanted;
}

// Half of the runs listen at a unix socket, alone or beside TCP.
void draw_addresses(Choices& choices, Plan& plan) {
  switch (choices.draw(6)) {
    case 1:
      plan.addresses = {"unix:///sim/sock"};
      break;
    case 2:
      plan.addresses.push_back("unix:///sim/sock");
      break;
    case 3:
      plan.addresses = {"unix://@sim", "tcp4://:9000"};
      break;
    default:
      break;
  }
  plan.has_dead_socket = choices.draw(2) == 1;
}

// A quarter of the runs has datagrams beside its connections.
void draw_datagrams(Choices& choices, Plan& plan, bool wanted) {
  Options& options = plan.options;
  options.datagram_buffers_count = pick(choices, std::array<std::size_t, 3>{2, 1, 8});
  options.datagram_size_max = pick(choices, std::array<std::size_t, 3>{64, 1, 200});
  options.datagram_outbound_limit = pick(choices, std::array<std::size_t, 3>{1500, 0, 600});
  plan.datagram_queue_max = pick(choices, std::array<std::size_t, 3>{20, 1, 4});
  plan.datagram_flight_max = pick(choices, std::array<std::size_t, 3>{20, 1, 4});
  plan.datagram_peers_max = 1 + choices.draw(5);
  const std::uint32_t answer = choices.draw(8);
  if (!wanted && answer > 1) return;
  plan.datagram_addresses = {"udp4://:9100"};
  if (answer % 2 == 1) plan.datagram_addresses.push_back("udp4://:0");
  options.datagram_train_max = pick(choices, std::array<std::size_t, 3>{64, 1, 3});
  options.datagram_gro = choices.draw(3) != 1;
  options.datagram_sessions = choices.draw(2) == 1;
  options.sessions_max = pick(choices, std::array<std::size_t, 3>{100, 1, 3});
  options.session_timeout =
      pick(choices, std::array{std::chrono::milliseconds{50}, std::chrono::milliseconds{0},
                               std::chrono::milliseconds{1000}});
}

void bend(Plan& plan, Scenario scenario) {
  switch (scenario) {
    case Scenario::mixed:
      break;
    case Scenario::buffers:
      plan.options.recv_buffers_count = std::min<std::size_t>(plan.options.recv_buffers_count, 4);
      plan.take_rate = 300;
      plan.options.recv_buffer_size = 64;
      only(plan,
           {Fault::starved, Fault::recv_ends, Fault::recv_ends_empty, Fault::short_recv, Fault::cancel_late});
      break;
    case Scenario::descriptors:
      plan.descriptors_max = 18;
      only(plan, {Fault::accept_ends, Fault::accept_fails});
      break;
    case Scenario::overflow:
      plan.options.sq_entries = 4;
      plan.options.cq_entries = 8;
      plan.fault_rates[static_cast<std::size_t>(Fault::burst)] = 900;
      plan.fault_rates[static_cast<std::size_t>(Fault::enter_busy)] = 200;
      break;
    case Scenario::closing:
      plan.close_rate = 300;
      only(plan, {Fault::cancel_late, Fault::cancel_missed, Fault::cancel_reordered, Fault::close_fails,
                  Fault::short_send});
      break;
    case Scenario::balance:
      plan.options.loops = 2 + plan.options.loops % 2;
      plan.options.connections_max = 100;
      plan.options.reuse_port = false;
      plan.peers_max = 12;
      plan.close_rate = 0;
      only(plan,
           {Fault::message_refused, Fault::accept_ends, Fault::submit_partly, Fault::enter_interrupted});
      break;
    case Scenario::stopping:
      plan.stop_rate = 100;
      break;
    case Scenario::datagrams:
      plan.peers_max = std::min<std::uint32_t>(plan.peers_max, 3);
      plan.act_rate = 400;
      plan.descriptors_max = 1024;
      break;
    case Scenario::calm:
      only(plan, {});
      plan.options.connections_max = 100;
      plan.options.mailbox_max = 1000;
      break;
  }
}

}  // namespace

std::optional<Scenario> find_scenario(std::string_view name) {
  const auto found = std::find(scenario_names.begin(), scenario_names.end(), name);
  if (found == scenario_names.end()) return std::nullopt;
  return static_cast<Scenario>(found - scenario_names.begin());
}

Plan draw_plan(Choices& choices, Scenario scenario) {
  Plan plan;
  draw_options(choices, plan);
  draw_features(choices, plan);
  draw_faults(choices, plan);
  draw_addresses(choices, plan);
  plan.descriptors_max = pick(choices, std::array<std::size_t, 3>{1024, 1024, 20});
  plan.stream_capacity = pick(choices, std::array<std::size_t, 4>{1024, 100, 300, 4096});
  draw_datagrams(choices, plan, scenario == Scenario::datagrams);
  plan.steps = 600 + choices.draw(2600);
  plan.peers_max = 1 + choices.draw(12);
  plan.act_rate = pick(choices, std::array<std::uint32_t, 3>{150, 50, 400});
  plan.stop_rate = pick(choices, std::array<std::uint32_t, 3>{0, 0, 10});
  plan.close_rate = pick(choices, std::array<std::uint32_t, 4>{20, 0, 5, 100});
  plan.pause_rate = pick(choices, std::array<std::uint32_t, 3>{0, 50, 300});
  plan.write_max = pick(choices, std::array<std::uint32_t, 3>{400, 50, 1500});
  plan.may_dial = choices.draw(2) == 1;
  bend(plan, scenario);
  // Each loop has a socket for each udp address: they are not taken from what is left for connections.
  plan.descriptors_max += plan.options.loops * plan.datagram_addresses.size();
  return plan;
}

void Plan::apply(sim::Simulation& world) const {
  kernel::sim::SimKernel& kernel = world.kernel();
  kernel.files().set_limit(descriptors_max);
  kernel.set_stream_capacity(stream_capacity);
  kernel.set_ring_features(ring_features, wakes);
  kernel.set_client_hosts(client_hosts);
  kernel.datagrams().set_queue_max(datagram_queue_max);
  kernel.datagrams().set_flight_max(datagram_flight_max);
  if (has_dead_socket) kernel.leave_file("/sim/sock", true);
  for (std::size_t index = 0; index < fault_rates.size(); ++index) {
    kernel.faults().set_rate(static_cast<Fault>(index), fault_rates[index]);
  }
}

}  // namespace ringwire::test
