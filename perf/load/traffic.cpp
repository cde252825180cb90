// Makes the streams: random bytes, plain or as websocket frames (RFC 6455, 5.2).
#include "traffic.hpp"

#include <algorithm>
#include <random>
#include <string_view>

namespace load {
namespace {

constexpr std::size_t period = 1 << 20;

// Length and mask bit; the payload follows, after the key if there is one.
void add_head(std::string& frames, std::size_t size, bool masked) {
  const std::size_t bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  const std::size_t code = bytes == 0 ? size : bytes == 2 ? 126 : 127;
  frames += '\x82';  // Binary, and the last of its message.
  frames += static_cast<char>((masked ? 0x80 : 0) | code);
  for (std::size_t left = bytes; left > 0; --left) frames += static_cast<char>(size >> 8 * (left - 1) & 0xFF);
}

}  // namespace

Traffic::Traffic(const Settings& settings) : framed_(settings.websocket) {
  framed_ ? make_frames(settings) : make_plain(settings);
}

// Long and odd, so that no two messages or connections look the same where they are compared.
void Traffic::make_plain(const Settings& settings) {
  std::mt19937_64 random{settings.seed};
  out_.message_size = settings.size;
  out_.bytes.resize(period + 7);
  for (char& byte : out_.bytes) byte = static_cast<char>(random());
}

void Traffic::make_frames(const Settings& settings) {
  std::mt19937_64 random{settings.seed};
  frame_count_ = std::max<std::size_t>(2, period / settings.size);
  for (std::size_t number = 0; number < frame_count_; ++number) {
    add_head(out_.bytes, settings.size, true);
    add_head(back_.bytes, settings.size, false);
    char key[4];
    for (char& byte : key) byte = static_cast<char>(random());
    out_.bytes.append(key, sizeof key);
    for (std::size_t at = 0; at < settings.size; ++at) {
      const auto byte = static_cast<char>(random());
      back_.bytes += byte;
      out_.bytes += static_cast<char>(byte ^ key[at % 4]);
    }
  }
  out_.message_size = out_.bytes.size() / frame_count_;
  back_.message_size = back_.bytes.size() / frame_count_;
}

std::size_t Traffic::out_offset(std::size_t index) const {
  const std::size_t far = index * 7919;
  return framed_ ? far % frame_count_ * out_.message_size : far % out_.bytes.size();
}

std::size_t Traffic::back_offset(std::size_t index) const {
  return framed_ ? index * 7919 % frame_count_ * back_.message_size : out_offset(index);
}

const char* const websocket_request =
    "GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

bool is_websocket_answer(std::string_view head, bool& complete) {
  constexpr std::string_view begin = "HTTP/1.1 101";
  complete = head.ends_with("\r\n\r\n");
  if (head.substr(0, begin.size()) != begin.substr(0, head.size())) return false;
  return !complete || head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string_view::npos;
}

}  // namespace load
