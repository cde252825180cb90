// A story's people, and the window they act in.
#include "tests/sim/exhaustive.hpp"

#include <algorithm>
#include <stdexcept>

namespace ringwire::test {
namespace {

constexpr std::uint32_t told_after_most = 2'000;  // Steps; a story takes about a hundred.

Plan plan_of(const Story& story) {
  Plan plan;
  plan.options.loops = 1;
  plan.options.recv_buffers_count = story.recv_buffers;
  plan.options.recv_buffer_size = 64;
  plan.options.sq_entries = 4;
  plan.options.cq_entries = 8;
  plan.options.backlog = 2;
  plan.options.inbound_limit = story.inbound_limit;
  plan.options.outbound_limit = 2000;
  plan.options.outbound_high_mark = 100;
  plan.options.outbound_low_mark = 30;
  plan.options.close_timeout = story.close_timeout;
  plan.options.log_level = LogLevel::off;
  plan.stream_capacity = story.stream_capacity;
  plan.steps = told_after_most;
  return plan;
}

}  // namespace

StoryRun::StoryRun(WindowChoices& choices, const Story& story, std::uint32_t window, std::uint32_t depth)
    : Swarm{choices, plan_of(story)},
      window_choices_{choices},
      story_{story},
      window_{window},
      depth_{depth} {
  world().set_outsider(this);
  world().set_plain(true);
  world().set_time_rate(0);
}

// ---- the window

void StoryRun::before_step(std::uint32_t step) {
  if (step == window_) open_window();
  if (step == window_ + depth_) {
    window_choices_.set_open(false);
    world().heal();
  }
  if (!is_told() || (step >= window_ && step < window_ + depth_)) return;
  length_ = step;
  window_choices_.set_open(false);
  heal_now();
}

void StoryRun::open_window() {
  for (const kernel::sim::Fault fault : story_.faults) world().kernel().faults().set_rate(fault, 1);
  world().kernel().faults().set_budget(2);
  world().set_time_rate(story_.time_passes ? 1 : 0);
  world().set_plain(false);
  window_choices_.set_open(true);
}

bool StoryRun::is_told() {
  for (std::size_t client = 0; client < actors_.size(); ++client) {
    if (can_act(client)) return false;
  }
  return world().was_quiet();
}

// ---- clients

bool StoryRun::can_act(std::size_t client) {
  const Actor& actor = actors_[client];
  if (actor.done == story_.clients[client].size()) return false;
  const Deed& deed = story_.clients[client][actor.done];
  if (actor.peer == SIZE_MAX) return true;
  const sim::SimPeer& peer = world().peers()[actor.peer];
  return deed.kind == Deed::Kind::stop_engine || (!peer.is_gone() && peer.received().size() >= deed.after);
}

void StoryRun::collect(std::vector<std::size_t>& possible) {
  for (std::size_t client = 0; client < actors_.size(); ++client) {
    if (can_act(client)) possible.push_back(client);
  }
}

void StoryRun::act(std::size_t client) {
  Actor& actor = actors_[client];
  const Deed& deed = story_.clients[client][actor.done++];
  if (deed.kind == Deed::Kind::connect) {
    actor.peer = world().peers().size();
    world().connect();
    return;
  }
  if (deed.kind == Deed::Kind::stop_engine) return ask_to_stop();
  sim::SimPeer& peer = world().peers()[actor.peer];
  switch (deed.kind) {
    case Deed::Kind::send:
      if (!peer.is_finishing())
        peer.send(bytes_of(actor.peer, true, peer.sent_size() + peer.outbox_size(), deed.size));
      return;
    case Deed::Kind::finish:
      return peer.finish();
    case Deed::Kind::reset:
      return peer.reset();
    default:
      return peer.set_reading(deed.kind == Deed::Kind::read);
  }
}

// ---- the handler

Action StoryRun::react_open(Conn& conn, Link& link) {
  if (traffic_.size() <= link.peer) traffic_.resize(link.peer + 1);
  if (story_.handler.greeting > 0) write_size(conn, link, story_.handler.greeting, false);
  return story_.handler.end_at == 0 ? end(conn, link) : Action::none;
}

Action StoryRun::react_traffic(Conn& conn, Link& link) {
  const unsigned count = ++traffic_[link.peer];
  if (count > story_.handler.leaves) expect(link, conn.next());
  if (story_.handler.answer > 0) write_size(conn, link, story_.handler.answer, true);
  return count == story_.handler.end_at ? end(conn, link) : Action::none;
}

Action StoryRun::react_eof(Conn& conn, Link& link) {
  if (story_.handler.last_words > 0) write_size(conn, link, story_.handler.last_words, false);
  link.closing = true;
  return Action::close;
}

Action StoryRun::react_writable(Conn& /*conn*/, Link& /*link*/) {
  return Action::none;
}

Action StoryRun::react_drain(Conn& /*conn*/, Link& link) {
  link.closing = true;
  return Action::close;
}

Action StoryRun::end(Conn& conn, Link& link) {
  switch (story_.handler.end) {
    case Part::End::none:
      return Action::none;
    case Part::End::shut_write:
      conn.shutdown_write();
      return Action::none;
    case Part::End::abort:
      link.aborted = link.closing = true;
      conn.abort();
      return Action::none;
    case Part::End::close:
      link.closing = true;
      return Action::close;
    default:
      link.closing = true;
      throw std::runtime_error("the story says so");
  }
}

}  // namespace ringwire::test
