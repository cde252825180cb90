// Work that a swarm's handlers and threads give to the workers, and when they are told of it.
#include <ringwire/error.hpp>

#include "tests/sim/swarm.hpp"

#include <stdexcept>

namespace ringwire::test {

void Swarm::offload(Link& link) {
  if (plan_.options.workers_count == 0 || !link.opened) return;
  Job& job = jobs_.emplace_back();
  ++promised_;
  engine_->offload(
      link.ref, [this, &job] { work(job); },
      [this, &job, &link](Conn* conn, std::error_code error) { end_work(job, link, conn, error); });
}

void Swarm::work(Job& job) {
  if (job.begun) violate("offloaded work ran twice");
  if (job.told) violate("offloaded work ran after it was answered");
  job.begun = true;
  job.threw = choices_.draw(8) == 1;
  if (job.threw) throw std::runtime_error("a whim of a worker");
}

void Swarm::end_work(Job& job, Link& link, Conn* conn, std::error_code error) {
  ++kept_;
  if (job.told) violate("offloaded work was answered twice");
  job.told = true;
  if (conn == nullptr && !error) violate("offloaded work was answered with nothing");
  const bool was_refused =
      error == std::errc::resource_unavailable_try_again || error == Error::engine_stopped;
  if (job.begun == was_refused) violate("offloaded work was answered as if it had (not) begun");
  if (job.threw != (error == Error::handler_failed)) violate("offloaded work threw, and nobody was told");
  if (conn == nullptr) return;
  if (link.closed || link.conn != conn) violate("offloaded work was answered on a connection that is gone");
  if (!conn->loop().is_current()) violate("offloaded work was answered on another thread");
  if (!link.closing) write(*conn, link);
}

}  // namespace ringwire::test
