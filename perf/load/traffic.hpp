// The bytes that go out and the bytes that must come back: two endless streams, the same for all connections,
// which begin at different places of them.
//
// Leaves to others: sockets. Invariant: message N of what goes out is answered by message N of what comes
// back.
#pragma once

#include "settings.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace load {

/// A stream that repeats itself, and where in it a connection begins.
struct Stream {
  std::string bytes;
  std::size_t message_size = 0;

  /// The bytes from `position` of the stream of a connection that began at `offset`, as far as they lie
  /// together.
  [[nodiscard]] std::string_view at(std::size_t offset, std::size_t position) const {
    const std::size_t index = (offset + position) % bytes.size();
    return std::string_view{bytes}.substr(index);
  }
};

/// What the messages are.
class Traffic {
 public:
  explicit Traffic(const Settings& settings);

  [[nodiscard]] const Stream& out() const { return out_; }
  [[nodiscard]] const Stream& back() const { return framed_ ? back_ : out_; }

  /// Where connection `index` begins, in what goes out and in what comes back.
  [[nodiscard]] std::size_t out_offset(std::size_t index) const;
  [[nodiscard]] std::size_t back_offset(std::size_t index) const;

 private:
  void make_plain(const Settings& settings);
  void make_frames(const Settings& settings);

  bool framed_;
  std::size_t frame_count_ = 0;
  Stream out_;
  Stream back_;
};

/// The handshake of a websocket client.
extern const char* const websocket_request;
/// Is this, as far as it came, the head of the answer that it must get? `complete` when it ends here.
bool is_websocket_answer(std::string_view head, bool& complete);

}  // namespace load
