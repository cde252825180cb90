// Our load generator: echo clients over one epoll, byte-checked. No ringwire inside, so that it measures any
// echo server alike.
//
// Leaves to others: the kinds of load (streams, churn, datagrams), pinning (taskset), comparing
// (perf/bench.py). It prints one line of figures; exit code 1 when a byte was wrong, a connection was lost,
// or the asked number of messages was not reached.
#include "churn.hpp"
#include "datagrams.hpp"
#include "settings.hpp"
#include "streams.hpp"

#include <iostream>

int main(int count, char** words) {
  load::Settings settings;
  if (!load::parse(count, words, settings)) {
    std::cerr << load::usage;
    return 2;
  }
  if (settings.udp) return load::run_datagrams(settings);
  if (settings.churn) return load::run_churn(settings);
  load::Streams streams{settings};
  return streams.connect() ? streams.run() : 1;
}
