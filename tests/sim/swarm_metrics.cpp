// What an engine says of itself at the end of a run, against what everybody around it knows.
#include <ringwire/error.hpp>

#include "tests/sim/swarm.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <system_error>

namespace ringwire::test {
namespace {

// By the words of metrics.hpp.
std::uint64_t CloseCounts::*place_of(std::error_code reason) {
  if (!reason) return &CloseCounts::ours;
  if (reason == Error::end_of_stream) return &CloseCounts::peer;
  for (const Error error : {Error::idle_timeout, Error::read_timeout, Error::write_timeout,
                            Error::lifetime_ended, Error::close_timeout}) {
    if (reason == error) return &CloseCounts::timeout;
  }
  if (reason == Error::outbound_limit) return &CloseCounts::outbound_limit;
  if (reason == Error::handler_failed) return &CloseCounts::handler_failed;
  if (reason == Error::engine_stopped) return &CloseCounts::engine_stopped;
  if (reason == std::errc::not_enough_memory) return &CloseCounts::other;
  return reason.category() == std::system_category() ? &CloseCounts::network : &CloseCounts::other;
}

}  // namespace

void Swarm::check_metrics(const Engine& engine) {
  const Metrics metrics = engine.metrics();
  const LoopMetrics all = metrics.total();
  LoopMetrics known;
  world_.meet_connected();
  for (const Link& link : links_) {
    if (!link.opened) continue;
    ++(world_.peers()[link.peer].side() == 0 ? known.accepted : known.connected);
    if (link.closed) ++(known.closes.*place_of(link.reason));
  }
  for (const sim::SimPeer& peer : world_.peers()) {
    if (peer.stream() == nullptr) continue;
    known.received_bytes += peer.stream()->received(1 - peer.side());
    known.sent_bytes += peer.stream()->sent(1 - peer.side());
  }
  const auto compare = [&](const char* what, std::uint64_t told, std::uint64_t truth) {
    if (told != truth) violate(fmt::format("the metrics say {} {}, it is {}", what, told, truth));
  };
  compare("accepted", all.accepted, known.accepted);
  compare("connected", all.connected, known.connected);
  compare("connections", all.connections, 0);
  compare("closes", all.closes.total(), closed_count_);
  compare("closed by us", all.closes.ours, known.closes.ours);
  compare("closed by the peer", all.closes.peer, known.closes.peer);
  compare("closed by the network", all.closes.network, known.closes.network);
  compare("closed by time", all.closes.timeout, known.closes.timeout);
  compare("closed at the limit", all.closes.outbound_limit, known.closes.outbound_limit);
  compare("closed after an exception", all.closes.handler_failed, known.closes.handler_failed);
  compare("cut off", all.closes.engine_stopped, known.closes.engine_stopped);
  compare("closed otherwise", all.closes.other, known.closes.other);
  compare("bytes received", all.received_bytes, known.received_bytes);
  compare("bytes sent", all.sent_bytes, known.sent_bytes);
  compare("refused", all.refused, engine.connections_refused());
  check_laps(all);
}

// What nobody outside has counted must at least agree with itself.
void Swarm::check_laps(const LoopMetrics& all) {
  std::uint64_t laps = 0;
  for (const std::uint64_t count : all.lap_times.counts) laps += count;
  if (laps != all.laps) violate(fmt::format("{} lap times of {} laps", laps, all.laps));
  const bool has_balancer = engine_->loops_count() > 1 && !plan_.options.reuse_port;
  if (all.laps > world_.laps() || (all.laps < world_.laps() && !has_balancer) || all.enters < all.laps)
    violate(fmt::format("{} laps of {}, {} enters", all.laps, world_.laps(), all.enters));
  if (all.completions > world_.kernel().completions() || all.completions < all.sends)
    violate(fmt::format("{} completions of {}, {} sends", all.completions, world_.kernel().completions(),
                        all.sends));
  if (all.short_sends > all.sends || all.handler_failures < all.closes.handler_failed)
    violate(fmt::format("{} of {} sends were short, {} exceptions closed {} connections", all.short_sends,
                        all.sends, all.handler_failures, all.closes.handler_failed));
}

}  // namespace ringwire::test
