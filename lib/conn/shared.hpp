// What all connections of one loop share, handed to each at birth.
//
// Owned by the loop, and outlives its connections. Leaves to others: connections themselves.
#pragma once

#include <ringwire/loop_ref.hpp>
#include <ringwire/metrics.hpp>
#include <ringwire/options.hpp>

#include "lib/base/chunks.hpp"
#include "lib/base/queue.hpp"
#include "lib/base/tally.hpp"
#include "lib/conn/budget.hpp"
#include "lib/kernel/kernel.hpp"
#include "lib/uring/recv_pools.hpp"

namespace ringwire::conn {

class Connection;

/// Hook: something is to be armed for this connection (receive, send, close).
struct Due;
/// Hook: something has happened that the handler is to be told.
struct News;

/// Connections in the order they became due.
using DueQueue = base::Queue<Connection, Due>;
/// Connections in the order their news came.
using NewsQueue = base::Queue<Connection, News>;

/// The loop's side of its connections.
struct Shared {
  kernel::Kernel& kernel;
  const Options& options;
  uring::RecvPools& pools;
  LoopRef loop;
  kernel::Nanoseconds now = 0;  // Of this lap.
  base::ChunkPool chunks;
  DueQueue due;
  NewsQueue news;
  BudgetShare budget{};
  std::uint32_t recv_credit = 0;  // Bytes one receive brings, or one buffer if that is more; 0 = no bound.
  LoopMetrics metrics{};  // Tallied by whoever sees it happen; other threads read it (loop/metrics.hpp).
};

}  // namespace ringwire::conn
