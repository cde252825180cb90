// What both ends of one connection know of it, and the rules that compare them.
//
// The bytes of each direction are a function of the connection's name and the position, so every byte is
// checked where it arrives and nobody keeps what was sent. The first 8 bytes a client sends are the name: the
// public face cannot tell the address of a peer that has already gone.
//
// Leaves to others: sending and receiving (client, server). Invariant: a link is judged once, when both ends
// are done with it, or when it is certain that the server never learned its name. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace ringwire::torture {

/// Bytes of a name.
inline constexpr std::size_t name_size = 8;

/// Who wrote a byte. An echoing server writes what the client wrote.
enum class Direction : std::uint8_t { up, down };

/// Does the server of this connection echo, or write a stream of its own?
[[nodiscard]] inline bool is_echo(std::uint64_t name) noexcept {
  return (name & 1) != 0;
}

/// Writes the bytes of a stream from `position` on.
void fill(std::span<char> target, std::uint64_t name, Direction direction, std::uint64_t position) noexcept;

/// Are these the bytes of a stream from `position` on?
[[nodiscard]] bool matches(std::span<const char> bytes, std::uint64_t name, Direction direction,
                           std::uint64_t position) noexcept;

/// What on_close tells.
struct Ending {
  std::error_code reason;
  std::uint64_t taken = 0;   // Bytes the handler has seen, all of them right.
  std::uint64_t unsent = 0;  // Bytes written that never left.
  bool timed_out = false;    // Options::close_timeout had passed since the handler closed.
};

/// One connection, from both ends.
struct Link {
  explicit Link(std::uint64_t name_) noexcept : name{name_} {}

  const std::uint64_t name;

  // The client writes these.
  std::atomic<std::uint64_t> sent = 0;      // Taken by its kernel.
  std::atomic<std::uint64_t> received = 0;  // And found right.
  std::atomic<bool> left = false;           // It resets, or closes without having read everything.
  std::atomic<bool> was_reset = false;      // It saw a reset.

  // The server writes these, before the bytes or the end they speak of can leave.
  std::atomic<std::uint64_t> written = 0;
  std::atomic<bool> closing = false;
  std::atomic<bool> aborted = false;
  std::atomic<bool> named = false;

  // Both ends, at their end, under the table's mutex.
  bool client_done = false;
  bool server_done = false;
  Ending ending;
};

/// What is counted. Any thread.
struct Figures {
  std::atomic<std::uint64_t> connections = 0;    // Made by clients.
  std::atomic<std::uint64_t> opened = 0;         // on_open.
  std::atomic<std::uint64_t> closed = 0;         // on_close.
  std::atomic<std::uint64_t> ended_unnamed = 0;  // on_close before the name came.
  std::atomic<std::uint64_t> bytes_up = 0;       // Checked by the handler.
  std::atomic<std::uint64_t> bytes_down = 0;     // Checked by clients.
  std::atomic<std::uint64_t> fins_checked = 0;   // FIN seen by a client behind every byte.
  std::atomic<std::uint64_t> eofs_checked = 0;   // on_eof behind every byte.
  std::atomic<std::uint64_t> resets_by_clients = 0;
  std::atomic<std::uint64_t> resets_by_server = 0;
  std::atomic<std::uint64_t> half_closes_by_clients = 0;
  std::atomic<std::uint64_t> half_closes_by_server = 0;
  std::atomic<std::uint64_t> resets_seen = 0;  // By clients.
  std::atomic<std::uint64_t> stalls = 0;
  std::atomic<std::uint64_t> marks = 0;             // Writes answered above_high_mark.
  std::atomic<std::uint64_t> close_timeouts = 0;    // Bytes had not left.
  std::atomic<std::uint64_t> linger_timeouts = 0;   // They had; the client's FIN was missing.
  std::atomic<std::uint64_t> accept_pauses = 0;     // EMFILE, in the server.
  std::atomic<std::uint64_t> sockets_refused = 0;   // EMFILE, in clients.
  std::atomic<std::uint64_t> scarcities = 0;        // Of descriptors.
  std::atomic<std::uint64_t> unnamed_by_table = 0;  // Ended by the server, which never learned the name.
};

/// All links of a run, the figures, and the rules broken so far.
class Table {
 public:
  /// Makes a link of a new name.
  [[nodiscard]] std::shared_ptr<Link> add(bool echo);
  /// The link of a name; nothing when no client made it.
  [[nodiscard]] std::shared_ptr<Link> find(std::uint64_t name);

  /// The client is done.
  void end_client(Link& link);
  /// The server is done: on_close.
  void end_server(Link& link, const Ending& ending);
  /// Judges the links whose names never arrived. Both sides must have ended.
  void end_all();

  /// A rule was broken.
  void violate(const std::string& what);
  /// How many were.
  [[nodiscard]] std::size_t violations() const noexcept { return violations_; }

  /// The figures.
  Figures figures;

 private:
  void judge(const Link& link);
  void judge_reason(const Link& link);
  void forget(const Link& link);
  [[nodiscard]] static std::string describe(const Link& link);

  std::mutex mutex_;
  std::uint64_t names_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Link>> links_;
  std::deque<std::uint64_t> waiting_;  // Their clients are done; their names may still be on the way.
  std::mutex output_;
  std::atomic<std::size_t> violations_ = 0;
};

}  // namespace ringwire::torture
