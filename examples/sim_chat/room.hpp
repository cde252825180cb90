// A chat room: each line a member sends goes to all members, the sender too.
//
// Serves one loop (`Options::loops` = 1), so nothing is guarded. A member who does not keep up is shown out:
// a talk with holes in it is worth nothing. Invariant: `members_` holds connections that take part, and only
// such whose `on_close` has not come.
#pragma once

#include <ringwire/ringwire.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace sim_chat {

/// The handler of the room. Two steps can be overridden, for worse: see `flaws.hpp`.
class Room : public ringwire::Handler {
 public:
  ringwire::Action on_open(ringwire::Conn& conn) override {
    members_.push_back(&conn);
    return ringwire::Action::none;
  }

  ringwire::Action on_traffic(ringwire::Conn& conn) override {
    while (const auto line = next_line(conn)) tell_all(*line);
    return conn.inbound_size() > line_size_max ? ringwire::Action::close : ringwire::Action::none;
  }

  ringwire::Action on_eof(ringwire::Conn& conn) override { return leave(conn); }
  ringwire::Action on_drain(ringwire::Conn& conn) override { return leave(conn); }
  ringwire::Action on_close(ringwire::Conn& conn, std::error_code /*reason*/) override { return leave(conn); }

 protected:
  /// Takes one line with its end, or nothing when it has not all arrived: TCP cuts where it likes.
  virtual std::optional<std::string> next_line(ringwire::Conn& conn) {
    const std::string_view text = ringwire::to_text(conn.peek());
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    std::string line{text.substr(0, end + 1)};
    conn.discard(line.size());
    return line;
  }

  /// Sends a line to one member, who may be too slow for it.
  virtual void tell(ringwire::Conn& member, std::string_view line) {
    if (member.write(line) == ringwire::Written::refused) member.abort();
  }

 private:
  static constexpr std::size_t line_size_max = 200;

  void tell_all(std::string_view line) {
    for (ringwire::Conn* member : members_) tell(*member, line);
  }

  ringwire::Action leave(ringwire::Conn& conn) {
    std::erase(members_, &conn);
    return ringwire::Action::close;
  }

  std::vector<ringwire::Conn*> members_;
};

}  // namespace sim_chat
