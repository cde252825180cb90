// Who came in, to which loop, and how many: rules about accepting that a swarm looks at when a connection
// opens.
#include "lib/net/address.hpp"
#include "tests/sim/swarm.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ringwire::test {

// The policy of the user's: any loop, drawn.
std::size_t Swarm::assign(const Address& peer, std::span<const LoopLoad> loops) {
  for (const LoopLoad& load : loops) {
    if (load.active > load.assigned) violate("a loop carries more than it was given");
  }
  const std::size_t loop = choices_.draw(static_cast<std::uint32_t>(loops.size()));
  if (peer.family != Address::Family::none && peer.port != 0) told_[peer] = loop;
  return loop;
}

void Swarm::check_crowd(const Link& link) {
  if (world_.peers()[link.peer].side() != 0) return;  // We connected to it.
  const Options& options = plan_.options;
  std::size_t all = 0;
  std::size_t of_host = 0;
  for (const Link& each : links_) {
    if (!each.opened || each.closed || world_.peers()[each.peer].side() != 0) continue;
    ++all;
    if (each.host == link.host) ++of_host;
  }
  // At the end each listener of each loop may let in the one that waited.
  const std::size_t late = stop_asked_ || shut_down_ ? plan_.addresses.size() * engine_->loops_count() : 0;
  if (options.engine_connections_max != 0 && all > options.engine_connections_max + late) {
    violate(fmt::format("{} connections, {} are allowed", all, options.engine_connections_max));
  }
  // A call that failed may have hidden an address from whoever counts.
  const bool could_tell = world_.kernel().faults().count(kernel::sim::Fault::call_fails) == 0;
  if (could_tell && link.host.family != Address::Family::none && options.connections_per_ip_max != 0 &&
      of_host > options.connections_per_ip_max) {
    violate(
        fmt::format("{} connections of one host, {} are allowed", of_host, options.connections_per_ip_max));
  }
}

void Swarm::check_loop(const Link& link) {
  const bool has_balancer = engine_->loops_count() > 1 && !plan_.options.reuse_port;
  if (link.host.family == Address::Family::none || !has_balancer) return;
  // A call that failed may have hidden the address from the balancer, a lack of memory have kept the policy
  // from noting it down.
  if (plan_.may_not_start) return;
  if (world_.kernel().faults().count(kernel::sim::Fault::call_fails) != 0) return;
  const std::size_t loop = link.loop;
  if (plan_.has_policy) {
    const auto told = told_.find(link.client);
    if (told == told_.end()) return violate("a connection came in that the policy was not asked about");
    if (told->second != loop)
      violate(fmt::format("a connection came to loop {}, not {}", loop, told->second));
  } else if (plan_.options.balancing == Balancing::source_hash) {
    const auto [known, is_new] = loop_of_.try_emplace(link.host, loop);
    if (known->second != loop) violate(fmt::format("one host on loops {} and {}", known->second, loop));
  }
}

}  // namespace ringwire::test
