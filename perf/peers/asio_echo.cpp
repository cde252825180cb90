// An echo server on Boost.Asio alone. Built twice: over Asio's epoll reactor, and over its io_uring backend.
//
// Each thread has an io_context of its own, without locks (one thread runs it) and with the concrete
// executor. A session reads what there is, writes all of it, and reads again; it owns itself by its pending
// handler.
#include "peer.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>
#include <type_traits>
#include <utility>

namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;
using Executor = asio::io_context::executor_type;

template <typename Protocol>
using Socket = asio::basic_stream_socket<Protocol, Executor>;

template <typename Protocol>
class Session {
 public:
  explicit Session(Socket<Protocol> socket) : socket_(std::move(socket)) {}

  // A session belongs to the handler that is pending.
  static void read(std::unique_ptr<Session> self) {
    Session& one = *self;
    one.socket_.async_read_some(asio::buffer(one.buffer_),
                                [self = std::move(self)](Error error, std::size_t size) mutable {
                                  if (!error) write(std::move(self), size);
                                });
  }

 private:
  static void write(std::unique_ptr<Session> self, std::size_t size) {
    Session& one = *self;
    asio::async_write(one.socket_, asio::buffer(one.buffer_, size),
                      [self = std::move(self)](Error error, std::size_t) mutable {
                        if (!error) read(std::move(self));
                      });
  }

  Socket<Protocol> socket_;
  std::array<char, 64 << 10> buffer_;
};

template <typename Protocol>
class Server {
 public:
  Server(int listener, const Protocol& protocol)
      : context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE),
        acceptor_(context_.get_executor(), protocol, listener) {}

  void run() {
    accept();
    context_.run();
  }

 private:
  void accept() {
    acceptor_.async_accept(context_, [this](Error error, Socket<Protocol> socket) {
      if (!error) {
        if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
          socket.set_option(asio::ip::tcp::no_delay(true), error);
        }
        Session<Protocol>::read(std::make_unique<Session<Protocol>>(std::move(socket)));
      }
      accept();
    });
  }

  asio::io_context context_;
  asio::basic_socket_acceptor<Protocol, Executor> acceptor_;
};

}  // namespace

int main(int count, char** words) {
  return peer::run(peer::parse(count, words), [](peer::Listener listener) {
    if (listener.is_tcp) {
      Server<asio::ip::tcp>(listener.fd, asio::ip::tcp::v4()).run();
    } else {
      Server<asio::local::stream_protocol>(listener.fd, asio::local::stream_protocol()).run();
    }
  });
}
