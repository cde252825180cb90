// A websocket echo on Boost.Beast over Asio's epoll: what one has without ringwire.
//
// Leaves the session to websocket_session.hpp, which is the same over ringwire (ringwire_websocket.cpp).
#include "peer.hpp"

#include "../websocket_session.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace {

namespace asio = boost::asio;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

class Server {
 public:
  explicit Server(int listener)
      : context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
        acceptor_(context_.get_executor(), asio::ip::tcp::v4(), listener) {}

  void run() {
    accept();
    context_.run();
  }

 private:
  void accept() {
    acceptor_.async_accept(context_, [this](boost::system::error_code error, Socket socket) {
      if (!error) {
        socket.set_option(asio::ip::tcp::no_delay(true), error);
        perf::start_websocket(std::move(socket));
      }
      accept();
    });
  }

  asio::io_context context_;
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
};

}  // namespace

int main(int count, char** words) {
  const peer::Settings settings = peer::parse(count, words);
  if (!settings.unix_path.empty()) peer::fail("websockets over --unix", ENOTSUP);
  return peer::run(settings, [](peer::Listener listener) { Server(listener.fd).run(); });
}
