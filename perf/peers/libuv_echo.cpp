// An echo server on libuv.
//
// All connections of a thread read into one buffer, because what came is written before the callback returns;
// what the socket does not take is copied into a write request, and reading stops until that is done.
#include "peer.hpp"

#include <uv.h>

#include <memory>
#include <utility>

namespace {

constexpr std::size_t buffer_size = 64 << 10;

struct Connection {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  };
  uv_write_t write{};
  std::string left;  // What the socket did not take.
};

class Server {
 public:
  explicit Server(peer::Listener listener) : is_tcp_(listener.is_tcp) {
    uv_loop_init(&loop_);
    loop_.data = this;
    init(listener_);
    const int error =
        is_tcp_ ? uv_tcp_open(&listener_.tcp, listener.fd) : uv_pipe_open(&listener_.pipe, listener.fd);
    if (error != 0) peer::fail(uv_strerror(error));
    listener_.handle.data = this;
    if (uv_listen(&listener_.stream, 4096, on_connection) != 0) peer::fail("uv_listen");
  }

  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }

 private:
  void init(Connection& one) {
    is_tcp_ ? uv_tcp_init(&loop_, &one.tcp) : uv_pipe_init(&loop_, &one.pipe, 0);
    one.handle.data = &one;
  }

  static Connection& of(void* handle) {
    return *static_cast<Connection*>(static_cast<uv_handle_t*>(handle)->data);
  }

  static void on_connection(uv_stream_t* listener, int status) {
    if (status != 0) return;
    auto& server = *static_cast<Server*>(listener->data);
    auto one = std::make_unique<Connection>();
    server.init(*one);
    if (uv_accept(listener, &one->stream) != 0) return drop(*one.release());
    if (server.is_tcp_) uv_tcp_nodelay(&one->tcp, 1);
    uv_read_start(&one.release()->stream, on_alloc, on_read);
  }

  static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto& server = *static_cast<Server*>(handle->loop->data);
    *buffer = uv_buf_init(server.buffer_, sizeof server.buffer_);
  }

  static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
    Connection& one = of(stream);
    if (size == 0) return;
    if (size < 0) return drop(one);
    uv_buf_t piece = uv_buf_init(buffer->base, static_cast<unsigned>(size));
    int sent = uv_try_write(stream, &piece, 1);
    if (sent == size) return;
    if (sent == UV_EAGAIN) sent = 0;
    if (sent < 0) return drop(one);
    uv_read_stop(stream);
    one.left.assign(piece.base + sent, static_cast<std::size_t>(size - sent));
    uv_buf_t rest = uv_buf_init(one.left.data(), static_cast<unsigned>(one.left.size()));
    uv_write(&one.write, stream, &rest, 1, on_written);
  }

  static void on_written(uv_write_t* write, int status) {
    if (status == UV_ECANCELED) return;  // Closing already.
    if (status != 0) return drop(of(write->handle));
    uv_read_start(write->handle, on_alloc, on_read);
  }

  static void drop(Connection& one) {
    uv_close(&one.handle, [](uv_handle_t* handle) { std::unique_ptr<Connection>{&of(handle)}.reset(); });
  }

  uv_loop_t loop_{};
  Connection listener_{};
  bool is_tcp_;
  char buffer_[buffer_size];
};

}  // namespace

int main(int count, char** words) {
  return peer::run(peer::parse(count, words),
                   [](peer::Listener listener) { std::make_unique<Server>(listener)->run(); });
}
