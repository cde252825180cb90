// One connection on a scripted kernel, without a loop: the test arms, completes and looks.
#pragma once

#include "lib/conn/connection.hpp"
#include "lib/uring/recv_pools.hpp"
#include "lib/uring/ring.hpp"
#include "tests/support/script_kernel.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace ringwire::test {

/// A ring, a pool and one connection on descriptor 50.
class ConnFixture {
 public:
  static constexpr int fd = 50;

  explicit ConnFixture(const Options& given = {}) : options{given} {
    static_cast<void>(ring.open(8, 16, uring::Features::all()));
    static_cast<void>(pool.open(ring, 4, 64));
    step();  // The wake of the probe.
    conn = std::make_unique<conn::Connection>(7U, 3U, shared, fd, conn::Origin::accepted);
  }
  ConnFixture(const ConnFixture&) = delete;
  ConnFixture& operator=(const ConnFixture&) = delete;

  ~ConnFixture() {
    if (conn == nullptr) return;
    conn->fail({});
    finish();
  }

  /// What the loop's flush does for a connection that is due.
  void flush() {
    pool.publish();
    while (conn::Connection* due = shared.due.pop_front()) {
      due->tell_held_back();
      if (due->wants_fin()) due->send_fin();
      due->end_if_both_ended();
      if (due->wants_close()) {
        due->arm_close(ring);
        continue;
      }
      if (due->wants_send()) due->arm_send(ring);
      if (due->wants_recv()) due->arm_recv(ring);
      if (due->wants_pause()) due->arm_pause(ring);
    }
  }

  /// Submits, and dispatches what the script has posted.
  void step() {
    ring.submit_and_wait(0, 0);
    for (const uring::Completion& done : ring.reap()) {
      switch (done.token.op) {
        case uring::Op::recv:
        case uring::Op::recv_large:
          conn->on_recv(done);
          break;
        case uring::Op::send:
          conn->on_send(done);
          break;
        case uring::Op::pause:
          conn->on_pause(done);
          break;
        case uring::Op::cancel:
          conn->on_cancel(done);
          break;
        case uring::Op::close:
          conn->on_close(done);
          break;
        default:
          break;
      }
    }
  }

  /// Flush and step: what is due is submitted.
  void lap() {
    flush();
    step();
  }

  /// Answers everything armed as a kernel would after a cancel, until the connection is closed.
  void finish() {
    for (int round = 0; round < 4 && !conn->is_closed(); ++round) {
      lap();
      kernel.cancel_outstanding();
      step();
    }
  }

  /// All received bytes, as text.
  std::string peek() { return std::string{to_text(conn->peek())}; }

  ScriptKernel kernel;
  Options options;
  uring::Ring ring{kernel};
  uring::RecvPools pools{kernel, 0, 2};
  uring::BufferPool& pool = pools.of(false);
  conn::Shared shared{.kernel = kernel,
                      .options = options,
                      .pools = pools,
                      .loop = {},
                      .now = kernel.time,
                      .chunks = base::ChunkPool{1 << 20},
                      .due = {},
                      .news = {}};
  std::unique_ptr<conn::Connection> conn;
};

}  // namespace ringwire::test
