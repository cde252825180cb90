// One handler or one for each loop, and what becomes of an engine whose factory has none to give.
#include "lib/engine/handlers.hpp"

#include <ringwire/client.hpp>
#include <ringwire/error.hpp>
#include <ringwire/run.hpp>
#include <ringwire/sim.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/server.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ringwire::engine {
namespace {

using Words = std::vector<std::string>;

const base::Log silence{LogLevel::off, nullptr};

// Notes what it is told, and on which thread.
class Noting : public Handler {
 public:
  Noting(Words& words, std::size_t loop) : words_{words}, name_{std::to_string(loop)} { note("made"); }
  ~Noting() override { note("gone"); }

  Action on_boot(Engine& engine) override {
    note("boot");
    if (boot_throws) throw std::runtime_error{"boot"};
    if (stops) CHECK_FALSE(engine.stop());
    return boot_answer;
  }
  void on_shutdown(Engine& /*engine*/) override { note("shutdown"); }

  Action boot_answer = Action::none;
  bool boot_throws = false;
  bool stops = false;

 private:
  void note(std::string_view what) {
    CHECK(std::this_thread::get_id() == thread_);
    words_.push_back(name_ + " " + std::string{what});
  }

  Words& words_;
  std::string name_;
  std::thread::id thread_ = std::this_thread::get_id();
};

Options two_loops() {
  Options options = test::quiet();
  options.loops = 2;
  return options;
}

TEST_CASE("a handler that is given serves every loop") {
  Handler handler;
  Handlers handlers{handler};
  CHECK_FALSE(handlers.make(3, silence));
  CHECK(handlers.count() == 1);
  CHECK(&handlers.of(0) == &handler);
  CHECK(&handlers.of(2) == &handler);
}

TEST_CASE("a factory makes one for each loop, in their order") {
  std::vector<std::size_t> loops;
  Handlers handlers{HandlerFactory{[&](std::size_t loop) {
    loops.push_back(loop);
    return std::make_unique<Handler>();
  }}};
  CHECK(loops.empty());
  CHECK_FALSE(handlers.make(3, silence));
  CHECK(loops == std::vector<std::size_t>{0, 1, 2});
  CHECK(handlers.count() == 3);
  CHECK(&handlers.of(0) != &handlers.of(2));
}

TEST_CASE("each handler is told the boot and the end once, in the order of the loops, by the caller of run") {
  Words words;
  const auto error = run(
      [&](std::size_t loop) {
        auto handler = std::make_unique<Noting>(words, loop);
        handler->stops = loop == 1;
        return handler;
      },
      "tcp://127.0.0.1:0", two_loops());
  CHECK_FALSE(error);
  CHECK(words ==
        Words{"0 made", "1 made", "0 boot", "1 boot", "0 shutdown", "1 shutdown", "0 gone", "1 gone"});
}

TEST_CASE("a handler that wants no engine ends the boot for those behind it, without on_shutdown") {
  Words words;
  const auto error = run(
      [&](std::size_t loop) {
        auto handler = std::make_unique<Noting>(words, loop);
        handler->boot_answer = Action::shutdown;
        return handler;
      },
      "tcp://127.0.0.1:0", two_loops());
  CHECK_FALSE(error);
  CHECK(words == Words{"0 made", "1 made", "0 boot", "0 gone", "1 gone"});
}

TEST_CASE("one handler whose on_boot throws keeps the engine from starting") {
  Words words;
  const auto error = run(
      [&](std::size_t loop) {
        auto handler = std::make_unique<Noting>(words, loop);
        handler->boot_throws = loop == 1;
        return handler;
      },
      "tcp://127.0.0.1:0", two_loops());
  CHECK(error == Error::handler_failed);
  CHECK(words == Words{"0 made", "1 made", "0 boot", "1 boot", "0 gone", "1 gone"});
}

TEST_CASE("a factory that throws, answers nothing or is empty is a handler that failed, and explained") {
  const std::array<std::string_view, 2> addresses{"tcp://127.0.0.1:0", "tcp://127.0.0.1:0"};
  Words words;
  auto error = run(
      [&](std::size_t loop) -> std::unique_ptr<Handler> {
        if (loop == 1) throw std::runtime_error{"no more"};
        return std::make_unique<Noting>(words, loop);
      },
      addresses, two_loops());
  CHECK(error == Error::handler_failed);
  CHECK(explain(error).find("loop 1") != std::string::npos);
  CHECK(words == Words{"0 made", "0 gone"});

  error = run([](std::size_t) -> std::unique_ptr<Handler> { return nullptr; }, addresses, two_loops());
  CHECK(error == Error::handler_failed);
  CHECK(explain(error).find("nullptr for loop 0") != std::string::npos);

  error = run(HandlerFactory{}, addresses, two_loops());
  CHECK(error == Error::handler_failed);
  CHECK(explain(error).find("empty") != std::string::npos);
}

TEST_CASE("an engine that cannot start makes no handler") {
  Words words;
  const auto factory = [&](std::size_t loop) { return std::make_unique<Noting>(words, loop); };
  CHECK(run(factory, "tcp://howdy", two_loops()) == Error::invalid_address);
  CHECK(words.empty());
}

TEST_CASE("a client's loops have their handlers until the client is gone") {
  Words words;
  {
    ringwire::Client client{[&](std::size_t loop) { return std::make_unique<Noting>(words, loop); },
                            two_loops()};
    CHECK(words.empty());
    CHECK_FALSE(client.start());
    client.stop();
    CHECK(words.back() == "1 shutdown");
  }
  CHECK(words ==
        Words{"0 made", "1 made", "0 boot", "1 boot", "0 shutdown", "1 shutdown", "0 gone", "1 gone"});
}

TEST_CASE("a simulated engine has a handler for each loop, too") {
  Words words;
  {
    sim::World world;
    REQUIRE_FALSE(world.start([&](std::size_t loop) { return std::make_unique<Noting>(words, loop); },
                              "tcp4://:9000", two_loops()));
    CHECK(words == Words{"0 made", "1 made", "0 boot", "1 boot"});
    CHECK(world.run_to_end() == "");
  }
  CHECK(words.back() == "1 gone");
}

}  // namespace
}  // namespace ringwire::engine
