// The door: `run` on the real kernel, and what a Handler does when it does not say.
#include <ringwire/conn.hpp>
#include <ringwire/engine.hpp>
#include <ringwire/error.hpp>
#include <ringwire/run.hpp>

#include "tests/conn/fixture.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <array>
#include <chrono>
#include <future>
#include <string>
#include <thread>

namespace ringwire {
namespace {

using test::Client;
using test::RecordingHandler;
using test::TestServer;

// The defaults of every event, but that it can be stopped from outside.
class Plain : public Handler {
 public:
  Action on_boot(Engine& engine) override {
    booted.set_value(&engine);
    return Handler::on_boot(engine);
  }
  std::promise<Engine*> booted;
};

TEST_CASE("a handler that says nothing accepts, ignores bytes, closes after FIN, and can be stopped") {
  Plain handler;
  std::error_code result = Error::closed;
  Options options = test::quiet();
  options.ticker = true;
  std::thread thread{[&] { result = run(handler, "tcp://127.0.0.1:0", options); }};
  Engine* engine = handler.booted.get_future().get();
  {
    Client client{engine->addresses().front()};
    CHECK(client.send_all("is anybody there?"));
    client.shutdown_write();
    CHECK(client.expect_eof());
  }
  CHECK_FALSE(engine->stop());
  thread.join();
  CHECK_FALSE(result);
}

TEST_CASE("what each event answers by default") {
  test::ConnFixture at;
  Handler handler;
  CHECK(handler.on_open(*at.conn) == Action::none);
  CHECK(handler.on_traffic(*at.conn) == Action::none);
  CHECK(handler.on_eof(*at.conn) == Action::close);
  CHECK(handler.on_writable(*at.conn) == Action::none);
  CHECK(handler.on_drain(*at.conn) == Action::close);
  CHECK(handler.on_close(*at.conn, {}) == Action::none);
  CHECK(handler.on_tick().delay == std::chrono::seconds{1});
  CHECK(handler.on_tick().action == Action::none);
  CHECK(at.conn->is_open());  // None of them has done anything.
}

TEST_CASE("run answers why it could not start") {
  RecordingHandler handler;
  CHECK(run(handler, "tcp://howdy") == Error::invalid_address);
  CHECK(run(handler, std::span<const std::string_view>{}) == Error::invalid_address);
  CHECK(run(handler, "tcp://127.0.0.1:0", {.loops = 1025}) == Error::invalid_option);
  CHECK(handler.record().boots == 0);
}

TEST_CASE("both loops serve, and each address of several") {
  RecordingHandler handler;
  handler.traffic = test::echo;
  Options options = test::quiet();
  options.loops = 2;
  TestServer server{handler, options, {"tcp://127.0.0.1:0", "tcp4://127.0.0.1:0"}};
  REQUIRE(server.addresses().size() == 2);
  for (const Address& address : server.addresses()) {
    auto clients = test::connect_many(address, 2);  // One for each loop.
    for (Client& client : clients)
      CHECK(client.exchange("hello " + address.to_string()) == "hello " + address.to_string());
  }
  CHECK_FALSE(server.stop());
}

TEST_CASE("two engines run at the same time, and stop one after the other") {
  RecordingHandler first_handler;
  RecordingHandler second_handler;
  first_handler.traffic = second_handler.traffic = test::echo;
  TestServer first{first_handler};
  TestServer second{second_handler};
  Client client{second.address()};
  CHECK(Client{first.address()}.exchange("one") == "one");
  CHECK_FALSE(first.stop());
  CHECK(client.exchange("two") == "two");
  CHECK_FALSE(second.stop());
}

}  // namespace
}  // namespace ringwire
