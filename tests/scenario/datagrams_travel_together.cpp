// Datagrams of one size between two peers share a request where the kernel can cut or join them, and nobody
// can tell from what arrives.
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/datagram_client.hpp"
#include "tests/support/server.hpp"

#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace ringwire::test {
namespace {

constexpr std::size_t burst_count = 100;
constexpr std::size_t wagon_size = 100;

// Different for each number.
std::string wagon(std::size_t number) {
  return random_bytes(number, wagon_size);
}

// Answers whatever comes with a burst.
Action burst(Datagram& datagram) {
  for (std::size_t number = 0; number < burst_count; ++number) datagram.reply(wagon(number));
  return Action::none;
}

// Does this run go without the feature of this name?
bool is_masked(std::string_view name) {
  const char* variable = std::getenv("RINGWIRE_MASK");
  const std::string_view mask = variable == nullptr ? "" : variable;
  return mask == "all" || mask == name;
}

// A burst to one client: how many sends it took.
std::uint64_t sends_of_burst(const Options& options) {
  DatagramCounts counts;
  RecordingHandler handler;
  handler.datagram = burst;
  handler.shutdown = [&](Engine& engine) { counts = engine.datagrams(); };
  TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  REQUIRE(client.send("now"));
  for (std::size_t number = 0; number < burst_count; ++number) REQUIRE((client.receive() == wagon(number)));
  CHECK(client.expect_silence(std::chrono::milliseconds{0}));
  CHECK_FALSE(server.stop());
  CHECK(counts.sent == burst_count);
  return counts.sends;
}

// What a handler was told, in order.
struct Told {
  explicit Told(RecordingHandler& handler) {
    handler.datagram = [this](Datagram& datagram) {
      const std::lock_guard lock{mutex};
      texts.emplace_back(to_text(datagram.bytes()));
      return Action::none;
    };
  }
  std::vector<std::string> all() {
    const std::lock_guard lock{mutex};
    return texts;
  }

  std::mutex mutex;
  std::vector<std::string> texts;
};

}  // namespace

TEST_CASE("a burst to one peer leaves in as few sends as the kernel takes, and arrives as it was",
          "[features]") {
  const std::uint64_t sends = sends_of_burst(quiet());
  CHECK(sends == (is_masked("udp_segment") ? burst_count : 2));  // 64 of them, and 36.
}

TEST_CASE("a burst leaves one by one when the option says so, or the feature is masked") {
  Options options = quiet();
  options.datagram_train_max = 1;
  CHECK(sends_of_burst(options) == burst_count);
  options = quiet();
  options.mask = "udp_segment,udp_gro";
  CHECK(sends_of_burst(options) == burst_count);
}

TEST_CASE("what a peer sends together comes in one receive, and is told one by one, the last one shorter",
          "[features]") {
  DatagramCounts counts;
  RecordingHandler handler;
  handler.shutdown = [&](Engine& engine) { counts = engine.datagrams(); };
  Told told{handler};
  TestServer server{handler, quiet(), one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  // What comes before the loop has begun is not joined.
  REQUIRE(client.send("first"));
  REQUIRE(handler.wait([](const Record& record) { return record.datagrams == 1; }));
  std::string train;
  for (std::size_t number = 0; number < 40; ++number) train += wagon(number);
  train += "the last one";
  REQUIRE(client.send_train(train, wagon_size));
  REQUIRE(handler.wait([](const Record& record) { return record.datagrams == 42; }));
  const std::vector<std::string> texts = told.all();
  REQUIRE(texts.size() == 42);
  for (std::size_t number = 0; number < 40; ++number) CHECK((texts[number + 1] == wagon(number)));
  CHECK(texts.back() == "the last one");
  CHECK_FALSE(server.stop());
  CHECK(counts.received == 42);
  CHECK(counts.receives == (is_masked("udp_gro") ? 42 : 2));
}

TEST_CASE("each datagram of those that came together is cut to the limit, and says so", "[features]") {
  RecordingHandler handler;
  handler.datagram = [&](Datagram& datagram) {
    if (datagram.is_truncated() && datagram.size() == wagon_size) handler.note("cut");
    return Action::none;
  };
  Options options = quiet();
  options.datagram_size_max = 60;
  const TestServer server{handler, options, one_udp_address};
  REQUIRE(server.addresses().size() == 1);
  const DatagramClient client{server.address()};
  REQUIRE(client.send_train(std::string(4 * wagon_size, 'x') + std::string(60, 'y'), wagon_size));
  REQUIRE(handler.wait([](const Record& record) { return record.datagrams == 5; }));
  CHECK(handler.record().count("cut") == 4);
}

}  // namespace ringwire::test
