// An echo server on libevent's bufferevents.
//
// What came is written to the socket at once; only what that does not take goes into the output buffer, whose
// way is longer (two epoll_ctl a message). Reading stops while the output is long.
#include "peer.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

namespace {

constexpr std::size_t piece_max = 64 << 10;
constexpr std::size_t output_max = 1 << 20;

void on_read(bufferevent* connection, void*) {
  evbuffer* const input = bufferevent_get_input(connection);
  evbuffer* const output = bufferevent_get_output(connection);
  if (evbuffer_get_length(output) == 0) evbuffer_write(input, bufferevent_getfd(connection));
  if (evbuffer_get_length(input) == 0) return;
  evbuffer_add_buffer(output, input);  // Moves.
  if (evbuffer_get_length(output) > output_max) bufferevent_disable(connection, EV_READ);
}

// The output is empty.
void on_write(bufferevent* connection, void*) {
  if ((bufferevent_get_enabled(connection) & EV_READ) == 0) bufferevent_enable(connection, EV_READ);
}

void on_event(bufferevent* connection, short, void*) {
  bufferevent_free(connection);
}

class Server {
 public:
  explicit Server(peer::Listener listener) : listener_(listener) {
    event_config* const config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base_ = event_base_new_with_config(config);
    event_config_free(config);
    event_add(event_new(base_, listener.fd, EV_READ | EV_PERSIST, on_connection, this), nullptr);
  }

  void run() { event_base_dispatch(base_); }

 private:
  static void on_connection(evutil_socket_t listener, short, void* context) {
    const auto& server = *static_cast<Server*>(context);
    while (true) {
      const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      if (server.listener_.is_tcp) peer::set_no_delay(fd);
      bufferevent* const connection = bufferevent_socket_new(server.base_, fd, BEV_OPT_CLOSE_ON_FREE);
      bufferevent_set_max_single_read(connection, piece_max);
      bufferevent_set_max_single_write(connection, piece_max);
      bufferevent_setcb(connection, on_read, on_write, on_event, nullptr);
      bufferevent_enable(connection, EV_READ | EV_WRITE);
    }
  }

  peer::Listener listener_;
  event_base* base_ = nullptr;
};

}  // namespace

int main(int count, char** words) {
  return peer::run(peer::parse(count, words), [](peer::Listener listener) { Server(listener).run(); });
}
