// Names, bytes, and the rules at the end of a connection.
#include "tests/torture/link.hpp"

#include <ringwire/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace ringwire::torture {
namespace {

// A client may be done while its first bytes still wait in the backlog. So many clients later they do not.
constexpr std::size_t waiting_max = 4096;
constexpr std::size_t printed_max = 20;

std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xBF58'476D'1CE4'E5B9U;
  value = (value ^ (value >> 27)) * 0x94D0'49BB'1331'11EBU;
  return value ^ (value >> 31);
}

// Eight bytes of a stream. The first eight a client sends are its name.
std::uint64_t word(std::uint64_t name, Direction direction, std::uint64_t index) noexcept {
  const bool up = direction == Direction::up || is_echo(name);
  if (up && index == 0) return name;
  return mix(mix(name * 2 + (up ? 1 : 0)) + index * 0x9E37'79B9'7F4A'7C15U);
}

bool is_reset(std::error_code reason) noexcept {
  return reason.category() == std::generic_category() || reason.category() == std::system_category()
             ? reason.value() == ECONNRESET || reason.value() == EPIPE || reason.value() == ENOTCONN
             : false;
}

}  // namespace

void fill(std::span<char> target, std::uint64_t name, Direction direction, std::uint64_t position) noexcept {
  for (std::size_t done = 0; done < target.size();) {
    const std::uint64_t at = position + done;
    const std::uint64_t value = word(name, direction, at / 8);
    std::array<char, 8> bytes;
    std::memcpy(bytes.data(), &value, bytes.size());
    const std::size_t skipped = at % 8;
    const std::size_t count = std::min(bytes.size() - skipped, target.size() - done);
    std::memcpy(target.data() + done, bytes.data() + skipped, count);
    done += count;
  }
}

bool matches(std::span<const char> bytes, std::uint64_t name, Direction direction,
             std::uint64_t position) noexcept {
  std::array<char, 512> right;
  for (std::size_t done = 0; done < bytes.size();) {
    const std::size_t count = std::min(right.size(), bytes.size() - done);
    fill(std::span{right}.first(count), name, direction, position + done);
    if (std::memcmp(right.data(), bytes.data() + done, count) != 0) return false;
    done += count;
  }
  return true;
}

std::shared_ptr<Link> Table::add(bool echo) {
  const std::lock_guard lock{mutex_};
  // Mixed, so that a piece of another stream is no name.
  const std::uint64_t name = (mix(++names_) & ~std::uint64_t{1}) | (echo ? 1 : 0);
  return links_.emplace(name, std::make_shared<Link>(name)).first->second;
}

std::shared_ptr<Link> Table::find(std::uint64_t name) {
  const std::lock_guard lock{mutex_};
  const auto found = links_.find(name);
  return found == links_.end() ? nullptr : found->second;
}

void Table::end_client(Link& link) {
  const std::lock_guard lock{mutex_};
  link.client_done = true;
  if (link.server_done) {
    judge(link);
    links_.erase(link.name);
    return;
  }
  if (link.named) return;
  waiting_.push_back(link.name);
  while (waiting_.size() > waiting_max) {
    const auto oldest = links_.find(waiting_.front());
    waiting_.pop_front();
    if (oldest == links_.end() || oldest->second->named) continue;
    forget(*oldest->second);
    links_.erase(oldest);
  }
}

void Table::end_server(Link& link, const Ending& ending) {
  const std::lock_guard lock{mutex_};
  link.server_done = true;
  link.ending = ending;
  if (!link.client_done) return;
  judge(link);
  links_.erase(link.name);
}

void Table::end_all() {
  const std::lock_guard lock{mutex_};
  for (const auto& [name, link] : links_) {
    if (link->named) violate("one end is not done: " + describe(*link));
    if (!link->named) forget(*link);
  }
  links_.clear();
}

// Both ends are done, and nobody who is honest has lost a byte.
void Table::judge(const Link& link) {
  judge_reason(link);
  const bool is_calm = !link.ending.reason || link.ending.reason == Error::end_of_stream;
  if (link.ending.taken > link.sent) violate("the handler got more than was sent: " + describe(link));
  if (link.received > link.written) violate("a client got more than was written: " + describe(link));
  if (is_calm && !link.aborted && !link.left && link.ending.unsent != 0)
    violate("bytes were never sent, and the reason hides it: " + describe(link));
  // What the peer has not read by then may be lost: that is what the time is for.
  if (is_calm && !link.aborted && !link.left && !link.ending.timed_out && link.received != link.written)
    violate("bytes were lost on the way to the client: " + describe(link));
  if (link.was_reset && !link.left && !link.aborted && !link.closing)
    violate("a client was reset, and nobody had asked for it: " + describe(link));
}

// Each reason must have a cause that the torture itself made.
void Table::judge_reason(const Link& link) {
  if (link.ending.reason == Error::close_timeout) {
    ++figures.close_timeouts;
    if (!link.closing) violate("close_timeout without a close: " + describe(link));
  } else if (is_reset(link.ending.reason)) {
    if (!link.left) violate("the server was reset, and the client had not done it: " + describe(link));
  } else if (!link.ending.reason) {
    if (link.ending.timed_out) ++figures.linger_timeouts;
    if (!link.closing && !link.aborted) violate("closed by us without a close: " + describe(link));
  } else if (link.ending.reason != Error::end_of_stream) {
    violate("a reason that nothing explains: " + describe(link));
  }
}

// The server never learned this name. It may have left in on_open or refused the connection.
void Table::forget(const Link& link) {
  if (link.received != 0) violate("a client got bytes of nobody: " + describe(link));
  if (!link.left) ++figures.unnamed_by_table;
}

std::string Table::describe(const Link& link) {
  return fmt::format(
      "{} {:016x}: client sent {} received {}{}{}; server got {} wrote {} unsent {}{}{}, reason \"{}\"",
      is_echo(link.name) ? "echo" : "stream", link.name, link.sent.load(), link.received.load(),
      link.left ? " left" : "", link.was_reset ? " was reset" : "", link.ending.taken, link.written.load(),
      link.ending.unsent, link.closing ? " closed" : "", link.aborted ? " aborted" : "",
      link.ending.reason.message());
}

void Table::violate(const std::string& what) {
  const std::lock_guard lock{output_};
  if (++violations_ <= printed_max) fmt::print(stderr, "VIOLATION  {}\n", what);
}

}  // namespace ringwire::torture
