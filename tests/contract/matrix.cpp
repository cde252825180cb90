// The cells of the matrix, and the ways of writing.
#include "tests/contract/matrix.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/wait.hpp"

#include <array>
#include <cstdlib>
#include <iostream>
#include <utility>

namespace ringwire::contract {
namespace {

constexpr std::array loops_counts{1U, 2U};
constexpr std::array addresses_counts{1U, 3U};
constexpr std::array spreads{Spread::round_robin, Spread::least_connections, Spread::source_hash,
                             Spread::own_policy, Spread::reuse_port};
constexpr std::array openings{Opening::connect, Opening::loop_connect, Opening::enroll};

constexpr std::array<std::string_view, 4> way_names{"write", "ref_write", "writev", "buffer"};
constexpr std::array<std::string_view, 5> spread_names{"round_robin", "least_connections", "source_hash",
                                                       "own_policy", "reuse_port"};
constexpr std::array<std::string_view, 3> opening_names{"connect", "loop_connect", "enroll"};

template <std::size_t count, typename Value>
std::string name_of(const std::array<std::string_view, count>& names, Value value) {
  return std::string{names.at(static_cast<std::size_t>(value))};
}

std::vector<Configuration> to_be_run(std::vector<Configuration> all) {
  if (runs_all()) return all;
  std::vector<Configuration> some;
  for (std::size_t index = 0; index < all.size(); ++index) {
    // Of every two that differ only in their addresses one, in turns: each pair of values is there.
    if ((index / 4 + index / 2 + index) % 2 == 0) some.push_back(all[index]);
  }
  return some;
}

}  // namespace

std::string Configuration::name() const {
  std::string text = is_client ? "client" : "server";
  text += is_unix ? " unix " : " tcp ";
  text += name_of(way_names, way) + (loops == 1 ? " 1_loop " : " 2_loops ");
  text += is_client ? name_of(opening_names, opening) : name_of(spread_names, spread);
  return text + (addresses_count == 1 ? " one_address" : " many_addresses");
}

Options Configuration::options(BalancingPolicy& policy) const {
  Options options = test::quiet();
  options.loops = loops;
  options.reuse_port = spread == Spread::reuse_port;
  if (spread == Spread::own_policy) options.balancing_policy = &policy;
  if (spread == Spread::least_connections) options.balancing = Balancing::least_connections;
  if (spread == Spread::source_hash) options.balancing = Balancing::source_hash;
  return options;
}

std::vector<std::string> Configuration::addresses(const test::Directory& directory) const {
  std::vector<std::string> all;
  for (std::size_t index = 0; index < addresses_count; ++index) {
    all.push_back(is_unix ? "unix://" + directory / std::to_string(index) : "tcp://127.0.0.1:0");
  }
  return all;
}

std::vector<Configuration> servers(bool is_unix, Way way) {
  std::vector<Configuration> all;
  for (const Spread spread : spreads) {
    // A unix socket cannot be bound twice: SO_REUSEPORT has no meaning there.
    if (is_unix && spread == Spread::reuse_port) continue;
    for (const std::size_t loops : loops_counts) {
      for (const std::size_t addresses : addresses_counts) {
        all.push_back(
            {.is_unix = is_unix, .way = way, .loops = loops, .addresses_count = addresses, .spread = spread});
      }
    }
  }
  return to_be_run(all);
}

// A client's connections go where they are told to, or to the loop that has fewest: it has no policies.
std::vector<Configuration> clients(bool is_unix, Way way) {
  std::vector<Configuration> all;
  for (const Opening opening : openings) {
    for (const std::size_t loops : loops_counts) {
      for (const std::size_t addresses : addresses_counts) {
        all.push_back({.is_client = true,
                       .is_unix = is_unix,
                       .way = way,
                       .loops = loops,
                       .addresses_count = addresses,
                       .opening = opening});
      }
    }
  }
  return to_be_run(all);
}

bool runs_all() {
  const char* said = std::getenv("RINGWIRE_MATRIX");
  return said != nullptr && std::string_view{said} == "all";
}

void note_ran(const std::string& name) {
  if (runs_all()) std::cout << "ran: " << name << std::endl;
}

const std::string& message(std::size_t index) {
  static const std::vector<std::string> messages = [] {
    const std::size_t size = runs_all() ? 1 << 20 : test::scaled(1 << 20, 1 << 17);
    std::vector<std::string> made;
    for (std::size_t seed = 0; seed < peers_count; ++seed) made.push_back(test::random_bytes(seed, size));
    return made;
  }();
  return messages.at(index);
}

Elsewhere::Elsewhere() : thread_{[this] { work(); }} {}

Elsewhere::~Elsewhere() {
  {
    const std::lock_guard lock{mutex_};
    ending_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

void Elsewhere::post(std::function<void()> deed) {
  const std::lock_guard lock{mutex_};
  deeds_.push_back(std::move(deed));
  changed_.notify_one();
}

void Elsewhere::work() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !deeds_.empty(); });
    if (deeds_.empty()) return;
    const auto deed = std::move(deeds_.front());
    deeds_.pop_front();
    lock.unlock();
    deed();
    lock.lock();
  }
}

void Sender::send(Conn& conn, Bytes bytes) {
  if (way_ == Way::write) return check(conn.write(bytes) != Written::refused);
  if (way_ != Way::writev) return send_kept(conn, Buffer{bytes});
  const std::size_t third = bytes.size() / 3;
  const std::array parts{bytes.first(third), Bytes{}, bytes.subspan(third, third), bytes.subspan(2 * third)};
  check(conn.writev(parts) != Written::refused);
}

void Sender::echo(Conn& conn) {
  if (way_ == Way::write || way_ == Way::writev) return send(conn, conn.next());
  send_kept(conn, conn.take());
}

void Sender::send_kept(Conn& conn, Buffer bytes) {
  if (way_ == Way::buffer) return check(conn.write(bytes) != Written::refused);
  elsewhere_.post([this, ref = conn.ref(), bytes = std::move(bytes)] {
    ref.write(bytes.bytes(), [this](std::error_code error) { check(!error); });
  });
}

void Sender::check(bool holds) {
  if (!holds) handler_.note("failed");
}

void expect_all_served(test::TestServer& server, const test::RecordingHandler& handler) {
  CHECK(handler.wait_closed(peers_count));
  CHECK(server.wait_count(0));
  CHECK_FALSE(server.stop());
  const test::Record record = handler.record();
  CHECK(record.opened == peers_count);
  CHECK(record.closed == peers_count);
  CHECK(record.count("failed") == 0);
}

std::size_t Turns::assign(const Address& /*peer*/, std::span<const LoopLoad> loops) {
  return asked++ % loops.size();
}

}  // namespace ringwire::contract
