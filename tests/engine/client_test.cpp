// A client by itself: how it starts, how it ends, what it answers before and after.
#include <ringwire/client.hpp>
#include <ringwire/conn.hpp>
#include <ringwire/error.hpp>

#include "tests/base/death.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/server.hpp"

#include <string>

using ringwire::Action;
using ringwire::Client;
using ringwire::Engine;
using ringwire::Error;
using ringwire::test::quiet;
using ringwire::test::RecordingHandler;

TEST_CASE("a client that was never started answers closed, and stops at once", "[client]") {
  RecordingHandler handler;
  Client client{handler, quiet()};
  CHECK(client.connect("tcp://127.0.0.1:9").error() == Error::closed);
  CHECK(client.enroll(0) == Error::closed);
  client.stop();
  CHECK(handler.record().boots == 0);
}

TEST_CASE("a client without connections starts and stops, with its events", "[client]") {
  RecordingHandler handler;
  ringwire::Options options = quiet();
  options.loops = 2;
  Client client{handler, options};
  REQUIRE_FALSE(client.start());
  CHECK(handler.record().boots == 1);
  CHECK(client.engine().loops_count() == 2);
  CHECK(client.engine().addresses().empty());
  CHECK(client.start() == Error::engine_stopped);
  client.stop();
  client.stop();
  CHECK(handler.record().shutdowns == 1);
  CHECK(client.connect("tcp://127.0.0.1:9").error() == Error::closed);
}

TEST_CASE("a client is there for its handler from on_boot on, on every thread", "[client]") {
  RecordingHandler handler;
  Client* itself = nullptr;
  handler.boot = [&](Engine& engine) {
    handler.note(itself->connect("tulip://x").error() == Error::unsupported_protocol ? "asked" : "wrong");
    static_cast<void>(
        engine.loop(0).post([&] { handler.note(itself->engine().loops_count() == 1 ? "there" : "wrong"); }));
    return Action::none;
  };
  Client client{handler, quiet()};
  itself = &client;
  REQUIRE_FALSE(client.start());
  CHECK(handler.wait_noted("there"));
  client.stop();
  CHECK(handler.record().count("asked") == 1);
  CHECK(handler.record().count("wrong") == 0);
}

TEST_CASE("a client's destructor stops it", "[client]") {
  RecordingHandler handler;
  {
    Client client{handler, quiet()};
    REQUIRE_FALSE(client.start());
  }
  CHECK(handler.record().shutdowns == 1);
}

TEST_CASE("shutdown answered by on_boot starts nothing", "[client]") {
  RecordingHandler handler;
  handler.boot = [](Engine&) { return Action::shutdown; };
  Client client{handler, quiet()};
  CHECK(client.start() == Error::engine_stopped);
  CHECK(client.connect("tcp://127.0.0.1:9").error() == Error::closed);
  client.stop();
  CHECK(handler.record().shutdowns == 0);
}

TEST_CASE("a bad option is told by start, and so are signals, which a client cannot have", "[client]") {
  RecordingHandler handler;
  ringwire::Options options = quiet();
  options.loops = 5'000;
  CHECK(Client{handler, options}.start() == Error::invalid_option);
  options.loops = 1;
  options.stop_on_signal = true;
  Client client{handler, options};
  const auto error = client.start();
  CHECK(error == Error::invalid_option);
  CHECK_THAT(ringwire::explain(error), ringwire::test::contains("stop_on_signal"));
}

TEST_CASE("the engine of a client that does not run is asked for by mistake", "[client]") {
  RecordingHandler handler;
  Client client{handler, quiet()};
  CHECK_THAT(ringwire::test::death_of([&] { static_cast<void>(client.engine()); }),
             ringwire::test::contains("has not been started"));
}
