// Passes bytes between its clients and one target. Who reads slowly slows down who writes to it: memory stays
// bounded, whatever either side does. Try it: `proxy 9001 tcp://127.0.0.1:9000`, then `nc localhost 9001`.
#include <ringwire/ringwire.hpp>

#include <array>
#include <iostream>
#include <memory>
#include <string>
#include <system_error>

using ringwire::Action;
using ringwire::Conn;

// A client and its connection to the target; nullptr where there is none, or none any more.
using Pair = std::array<Conn*, 2>;

// What each connection knows: its pair, and which end of it it is.
struct Side {
  std::shared_ptr<Pair> pair;
  std::size_t index;
  Conn* other() const { return (*pair)[1 - index]; }
};

// One loop, so both ends of a pair live on the same thread.
struct Proxy : ringwire::Handler {
  Action on_boot(ringwire::Engine& engine) override {
    port = engine.addresses().front().port;
    std::cout << "listening on " << engine.addresses().front().to_string() << std::endl;
    return Action::none;
  }

  Action on_open(Conn& conn) override {
    if (conn.local_address().port != port) return Action::none;  // To the target: the callback below follows.
    auto pair = std::make_shared<Pair>(Pair{&conn, nullptr});
    conn.emplace_context<Side>(Side{pair, 0});
    conn.pause();  // Until there is somewhere to send to.
    const auto dial = conn.loop().connect(target, ringwire::ConnectOptions{},
                                          [pair](Conn* made, std::error_code) { join(pair, made); });
    return dial.error() ? Action::close : Action::none;
  }

  static void join(const std::shared_ptr<Pair>& pair, Conn* made) {
    Conn* client = (*pair)[0];
    if (made != nullptr) made->emplace_context<Side>(Side{pair, 1});
    if (client == nullptr && made != nullptr) return made->close();
    if (client == nullptr || made == nullptr) return client != nullptr ? client->close() : void();
    (*pair)[1] = made;
    client->resume();
  }

  Action on_traffic(Conn& conn) override {
    Conn* other = conn.context<Side>()->other();
    if (other == nullptr) return Action::close;
    const auto written = other->write(conn.next());
    if (written == ringwire::Written::above_high_mark) conn.pause();  // The other side is slow: wait for it.
    return written == ringwire::Written::refused ? Action::close : Action::none;
  }

  Action on_writable(Conn& conn) override {
    if (Conn* other = conn.context<Side>()->other()) other->resume();
    return Action::none;
  }

  Action on_eof(Conn& conn) override {
    Conn* other = conn.context<Side>()->other();
    if (other != nullptr) other->shutdown_write();  // The other direction goes on until it ends, too.
    return other != nullptr ? Action::none : Action::close;
  }

  Action on_close(Conn& conn, std::error_code reason) override {
    const Side& side = *conn.context<Side>();
    (*side.pair)[side.index] = nullptr;
    const bool in_order = !reason || reason == ringwire::Error::end_of_stream;
    if (Conn* other = side.other()) in_order ? other->close() : other->abort();
    return Action::none;
  }

  std::string target;      // Where everything goes.
  std::uint16_t port = 0;  // Where we listen.
};

int main(int argument_count, char** arguments) {
  if (argument_count != 3) {
    std::cerr << "usage: proxy PORT TARGET" << std::endl;
    return 2;
  }
  Proxy proxy;
  proxy.target = arguments[2];
  const std::string address = "tcp4://:" + std::string{arguments[1]};
  if (auto error = ringwire::run(proxy, address, {.stop_on_signal = true})) {
    std::cerr << ringwire::explain(error) << std::endl;
    return 1;
  }
}
