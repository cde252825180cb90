// UDP: `depth` datagrams under way on each of many connected sockets. A datagram that does not come back is
// counted as lost, and another one takes its place.
//
// Leaves to others: nothing but sockets. Invariant: each datagram carries its number, so that order does not
// matter and an echo that came after all is told from the one that is waited for.
#pragma once

#include "report.hpp"
#include "settings.hpp"

namespace load {

/// Runs and reports; the exit code.
int run_datagrams(const Settings& settings);

}  // namespace load
