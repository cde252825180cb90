// Clients: a ringwire::Client with the same Handler, whatever the transport, the way of writing, the loops,
// the addresses, and how its connections are opened.
//
// Leaves to others: timeouts and cancels (tests/scenario/client_connects.cpp). Left out: connected datagram
// sockets, which ringwire does not have.
#include "tests/contract/matrix.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/client.hpp"
#include "tests/support/wait.hpp"

#include <unistd.h>

#include <chrono>

namespace ringwire::contract {
namespace {

// What a connection of the client has had so far.
struct Talk {
  const std::string& sent;
  bool greeted = false;
  std::size_t received = 0;
};

// Waits for the greeting, sends its message, compares what comes back, and closes.
class Talker : public test::RecordingHandler {
 public:
  explicit Talker(Way way) : sender_{way, *this} {
    open = [this](Conn& conn) {
      conn.emplace_context<Talk>(Talk{message(next_++ % peers_count)});
      return Action::none;
    };
    traffic = [this](Conn& conn) { return look(conn); };
  }

 private:
  Action look(Conn& conn) {
    Talk& talk = *conn.context<Talk>();
    if (!talk.greeted) {
      const auto first = conn.next(greeting.size());
      if (!first) return Action::none;
      if (to_text(*first) != greeting) note("failed");
      talk.greeted = true;
      sender_.send(conn, to_bytes(talk.sent));
    }
    const std::string_view came = to_text(conn.next());
    if (came != std::string_view{talk.sent}.substr(talk.received, came.size())) note("failed");
    talk.received += came.size();
    if (talk.received < talk.sent.size()) return Action::none;
    note("echoed");
    return Action::close;
  }

  std::atomic<std::size_t> next_ = 0;
  Sender sender_;
};

// Opens connection `index`; answers why it could not be begun.
std::error_code open_one(ringwire::Client& client, const Configuration& one, const Address& address,
                         std::size_t index, test::RecordingHandler& handler) {
  Connected done = [&handler](Conn*, std::error_code error) {
    if (error) handler.note("failed");
  };
  if (one.opening == Opening::connect)
    return client.connect(test::url_of(address), {}, std::move(done)).error();
  if (one.opening == Opening::loop_connect) {
    return client.engine()
        .loop(index % one.loops)
        .connect(test::url_of(address), {}, std::move(done))
        .error();
  }
  const test::Client plain{address};
  const int fd = ::dup(plain.fd());
  const std::error_code error = client.enroll(fd, std::move(done));
  if (error) ::close(fd);
  return error;
}

// The count follows on_close at the end of the lap.
bool wait_empty(const Engine& engine) {
  const auto deadline = std::chrono::steady_clock::now() + test::patience;
  while (engine.connections_count() != 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

void run_client(const Configuration& one) {
  INFO(one.name());
  const test::Directory directory;
  test::RecordingHandler far;
  far.open = [](Conn& conn) {
    conn.write(greeting);
    return Action::none;
  };
  far.traffic = test::echo;
  test::TestServer server{far, test::quiet(), one.addresses(directory)};
  REQUIRE(server.addresses().size() == one.addresses_count);

  Turns never_asked;
  Talker near{one.way};
  ringwire::Client client{near, one.options(never_asked)};
  REQUIRE_FALSE(client.start());
  for (std::size_t index = 0; index < peers_count; ++index) {
    REQUIRE_FALSE(open_one(client, one, server.addresses()[index % one.addresses_count], index, near));
  }
  CHECK(near.wait_closed(peers_count));
  CHECK(wait_empty(client.engine()));
  client.stop();
  const test::Record record = near.record();
  CHECK(record.opened == peers_count);
  CHECK(record.closed == peers_count);
  CHECK(record.count("echoed") == peers_count);
  CHECK(record.count("failed") == 0);
  expect_all_served(server, far);
  note_ran(one.name());
}

void run_clients(Way way) {
  for (const bool is_unix : {false, true}) {
    for (const Configuration& one : clients(is_unix, way)) run_client(one);
  }
}

}  // namespace

TEST_CASE("what clients write with Conn::write comes back byte for byte", "[matrix]") {
  run_clients(Way::write);
}

TEST_CASE("what clients write through a ConnRef from another thread comes back byte for byte", "[matrix]") {
  run_clients(Way::ref_write);
}

TEST_CASE("what clients write with Conn::writev comes back byte for byte", "[matrix]") {
  run_clients(Way::writev);
}

TEST_CASE("what clients write as a Buffer comes back byte for byte", "[matrix]") {
  run_clients(Way::buffer);
}

}  // namespace ringwire::contract
