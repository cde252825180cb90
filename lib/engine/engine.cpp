// The public face of an engine. Each call only reads counters or leaves a request.
#include <ringwire/engine.hpp>
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/engine/server.hpp"

#include <algorithm>
#include <utility>

namespace ringwire {
namespace {

// An Engine is the base of a Server and of nothing else: its constructor is protected.
const engine::Server& self(const Engine& engine) noexcept {
  return static_cast<const engine::Server&>(engine);
}

}  // namespace

std::size_t Engine::connections_count() const noexcept {
  std::size_t count = 0;
  for (const auto& loop : self(*this).loops_) count += loop->connections_count();
  return count;
}

std::size_t Engine::connections_count(std::size_t loop) const noexcept {
  RINGWIRE_REQUIRE(loop < loops_count(), "loop {} of {}", loop, loops_count());
  return self(*this).loops_[loop]->connections_count();
}

std::size_t Engine::connections_refused() const noexcept {
  std::size_t count = 0;
  for (const auto& loop : self(*this).loops_) count += loop->refused_count();
  if (const auto& admission = self(*this).admission_) count += admission->refused_count();
  if (const auto& balancer = self(*this).balancer_) count += balancer->refused_count();
  return count;
}

std::size_t Engine::loops_count() const noexcept {
  return self(*this).loops_.size();
}

LoopRef Engine::loop(std::size_t index) const {
  RINGWIRE_REQUIRE(index < loops_count(), "loop {} of {}", index, loops_count());
  return self(*this).loops_[index]->ref();
}

std::vector<Address> Engine::addresses() const {
  return self(*this).listeners_.addresses();
}

std::error_code Engine::dup_listener(std::size_t index, int& fd) {
  return static_cast<engine::Server&>(*this).listeners_.duplicate(index, fd);
}

Connecting Engine::connect(std::string_view address, const ConnectOptions& options, Connected done) {
  return static_cast<engine::Server&>(*this).least_loaded().connect(address, options, std::move(done));
}

std::error_code Engine::open_session(std::string_view address, SessionOpened done) {
  return static_cast<engine::Server&>(*this).least_loaded().open_session(address, std::move(done));
}

std::error_code Engine::enroll(int fd, Connected done) {
  return static_cast<engine::Server&>(*this).least_loaded().enroll(fd, std::move(done));
}

SocketRef Engine::socket(std::size_t address, std::size_t loop) const {
  RINGWIRE_REQUIRE(loop < loops_count(), "loop {} of {}", loop, loops_count());
  const auto& sockets = self(*this).listeners_.datagram_sockets();
  const auto wanted =
      std::find_if(sockets.begin(), sockets.end(), [&](const auto& each) { return each.index == address; });
  if (wanted == sockets.end()) return {};
  if (loop >= wanted->fds.size()) loop = 0;  // A multicast group has one socket.
  const auto earlier =
      std::count_if(sockets.begin(), wanted, [&](const auto& each) { return loop < each.fds.size(); });
  // The first sockets in their loop's table, in this order; each the first of its slot.
  return SocketRef{self(*this).loops_[loop]->ref(), static_cast<std::uint32_t>(earlier), 1};
}

DatagramCounts Engine::datagrams() const noexcept {
  DatagramCounts sum;
  for (const auto& loop : self(*this).loops_) {
    const DatagramCounts counts = loop->datagram_counts();
    sum.received += counts.received;
    sum.truncated += counts.truncated;
    sum.sent += counts.sent;
    sum.failed += counts.failed;
    sum.dropped += counts.dropped;
    sum.sends += counts.sends;
    sum.receives += counts.receives;
  }
  return sum;
}

Metrics Engine::metrics() const {
  Metrics metrics;
  metrics.loops.reserve(loops_count());
  for (const auto& loop : self(*this).loops_) metrics.loops.push_back(loop->metrics());
  if (const auto& admission = self(*this).admission_) metrics.door.refused += admission->refused_count();
  if (const auto& balancer = self(*this).balancer_) {
    metrics.door.refused += balancer->refused_count();
    metrics.door.accept_pauses = balancer->accept_pauses();
  }
  return metrics;
}

std::error_code Engine::drain(const DrainOptions& options) {
  if (options.deadline.count() < 0 || options.spread.count() < 0) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  if (!static_cast<engine::Server&>(*this).request_drain(options)) return Error::engine_stopped;
  return {};
}

DrainCounts Engine::drained() const noexcept {
  DrainCounts sum;
  for (const auto& loop : self(*this).loops_) {
    const DrainCounts counts = loop->drained();
    sum.closed += counts.closed;
    sum.cut_off += counts.cut_off;
  }
  return sum;
}

std::error_code Engine::stop() {
  if (!static_cast<engine::Server&>(*this).request_stop()) return Error::engine_stopped;
  return {};
}

}  // namespace ringwire
