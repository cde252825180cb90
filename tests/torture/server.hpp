// The handler under torture: echoes or writes a stream of its own, and leaves whenever it likes.
//
// Leaves to others: what clients do, and the rules that need both ends (`link.hpp`). It checks what only a
// handler sees: the order of events, limits, and that on_eof comes behind every byte.
#pragma once

#include <ringwire/ringwire.hpp>

#include "tests/torture/link.hpp"

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <random>
#include <string_view>

namespace ringwire::torture {

/// Limits as small as they may be, so that everything runs out all the time.
[[nodiscard]] Options tiny_options();

/// Serves what clients of the same table ask for.
class Server final : public Handler {
 public:
  /// `whims`: also close, abort and half-close at random.
  Server(Table& table, std::uint64_t seed, bool whims);

  /// Where it listens, and the engine; ready when on_boot was called.
  std::promise<Engine*> booted;

  Action on_boot(Engine& engine) override;
  Action on_open(Conn& conn) override;
  Action on_traffic(Conn& conn) override;
  Action on_eof(Conn& conn) override;
  Action on_writable(Conn& conn) override;
  Action on_drain(Conn& conn) override;
  Action on_close(Conn& conn, std::error_code reason) override;
  void on_shutdown(Engine& engine) override;

 private:
  struct Session;

  [[nodiscard]] unsigned any(unsigned end);
  [[nodiscard]] Session* session_of(Conn& conn, std::string_view event);
  [[nodiscard]] bool learn_name(Conn& conn, Session& session);
  void check(Session& session, Bytes bytes);
  void work(Conn& conn, Session& session);
  void echo(Conn& conn, Session& session);
  void stream(Conn& conn, Session& session);
  void write(Conn& conn, Session& session, Bytes bytes);
  void half_close(Conn& conn, Session& session);
  [[nodiscard]] Action close(Conn& conn, Session& session);
  [[nodiscard]] Action whim(Conn& conn, Session& session);
  [[nodiscard]] Action settle(Conn& conn, Session& session);

  Table& table_;
  std::uint64_t seed_;
  bool whims_;
  std::atomic<std::uint64_t> threads_ = 0;
};

}  // namespace ringwire::torture
