// Bytes as ringwire passes them: a view that owns nothing.
//
// Leaves to others: storage. Who returns a `Bytes` says how long it stays valid.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace ringwire {

/// A read-only view of bytes somebody else owns.
///
/// A value of two words, to be passed by value on any thread. It keeps nothing alive: the function that
/// returns one says until when.
using Bytes = std::span<const std::byte>;

/// Views text as bytes, without a copy. Valid as long as `text` is.
///
/// Example: `conn.write(ringwire::to_bytes("hello"));`
[[nodiscard]] inline Bytes to_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span<const char>{text.data(), text.size()});
}

/// Views bytes as text, without a copy and without looking at the encoding. Valid as long as `bytes` is.
///
/// Example: `if (ringwire::to_text(conn.peek()).starts_with("GET ")) …`
[[nodiscard]] inline std::string_view to_text(Bytes bytes) noexcept {
  return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

}  // namespace ringwire
