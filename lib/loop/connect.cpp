// How any thread asks a loop for a connection: by dialling one, or by bringing its socket along.
#include <ringwire/connect.hpp>
#include <ringwire/error.hpp>
#include <ringwire/loop_ref.hpp>

#include "lib/base/assert.hpp"
#include "lib/base/duration.hpp"
#include "lib/base/error.hpp"
#include "lib/loop/loop.hpp"
#include "lib/loop/mailbox.hpp"
#include "lib/net/address.hpp"
#include "lib/net/socket.hpp"

#include <fmt/core.h>

#include <utility>
#include <vector>

namespace ringwire {

Connecting LoopRef::connect(std::string_view address, const ConnectOptions& options, Connected done) const {
  RINGWIRE_REQUIRE(options.timeout.count() >= 0, "connect timeout {} ms", options.timeout.count());
  if (mailbox_ == nullptr) return Connecting{Error::closed};

  net::Endpoint endpoint;
  if (const auto error = net::parse_endpoint(address, endpoint)) return Connecting{error};
  if (endpoint.transport == net::Endpoint::Transport::datagram) {
    return Connecting{
        base::fail(Error::unsupported_protocol,
                   fmt::format("{}: a datagram peer is opened as a session (open_session)", endpoint.text))};
  }
  std::vector<Address> targets;
  if (const auto error = net::resolve(mailbox_->kernel(), endpoint, targets)) return Connecting{error};
  RINGWIRE_ASSERT(!targets.empty());

  const std::uint64_t id = mailbox_->next_number();
  loop::Dial dial{id, std::move(targets), base::to_nanoseconds(options.timeout), std::move(done)};
  const auto error =
      mailbox_->post([dial = std::move(dial)](loop::Loop* loop, std::error_code refused) mutable {
        if (loop != nullptr) return loop->dial(std::move(dial));
        if (dial.done) dial.done(nullptr, refused);
      });
  if (error) return Connecting{error};
  return {*this, id};
}

std::error_code LoopRef::connect(std::string_view address, Done done) const {
  if (!done) return connect(address, ConnectOptions{}, nullptr).error();
  return connect(address, ConnectOptions{},
                 [done = std::move(done)](Conn*, std::error_code error) mutable { done(error); })
      .error();
}

std::error_code Connecting::cancel() const {
  if (error_) return Error::closed;
  return loop_.mailbox_->post([id = id_](loop::Loop* loop, std::error_code) {
    if (loop != nullptr) loop->cancel_dial(id);
  });
}

std::error_code LoopRef::enroll(int fd, Connected done) const {
  if (mailbox_ == nullptr) return Error::closed;
  kernel::Kernel& kernel = mailbox_->kernel();
  if (const auto error = net::check_connected(kernel, fd)) return error;

  const bool is_tcp = net::remote_address(kernel, fd).family != Address::Family::unix_socket;
  return mailbox_->post(
      [fd, is_tcp, &kernel, done = std::move(done)](loop::Loop* loop, std::error_code refused) mutable {
        if (loop != nullptr) return loop->enroll(fd, is_tcp, std::move(done));
        kernel.close(fd);  // It was ours already.
        if (done) done(nullptr, refused);
      });
}

}  // namespace ringwire
