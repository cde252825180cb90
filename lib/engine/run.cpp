// The door: `run` on a real kernel, and what a Handler does when it does not say.
#include <ringwire/run.hpp>

#include "lib/engine/choice.hpp"
#include "lib/engine/server.hpp"

#include <utility>

namespace ringwire {
namespace {

std::error_code run_all(engine::Handlers handlers, std::span<const std::string_view> addresses,
                        const Options& options) {
  kernel::Kernel* kernel = nullptr;
  if (const auto error = engine::choose_kernel(options, engine::real_kernels(), kernel)) return error;
  return engine::Server{*kernel, std::move(handlers), options}.run(addresses);
}

}  // namespace

std::error_code run(Handler& handler, std::span<const std::string_view> addresses, const Options& options) {
  return run_all(handler, addresses, options);
}

std::error_code run(HandlerFactory factory, std::span<const std::string_view> addresses,
                    const Options& options) {
  return run_all(std::move(factory), addresses, options);
}

std::error_code run(Handler& handler, std::string_view address, const Options& options) {
  return run(handler, std::span{&address, 1}, options);
}

std::error_code run(HandlerFactory factory, std::string_view address, const Options& options) {
  return run(std::move(factory), std::span{&address, 1}, options);
}

Action Handler::on_boot(Engine& /*engine*/) {
  return Action::none;
}
Action Handler::on_open(Conn& /*conn*/) {
  return Action::none;
}
Action Handler::on_traffic(Conn& /*conn*/) {
  return Action::none;
}
Action Handler::on_datagram(Datagram& /*datagram*/) {
  return Action::none;
}
Action Handler::on_session_open(Session& /*session*/) {
  return Action::none;
}
Action Handler::on_session_close(Session& /*session*/, std::error_code /*reason*/) {
  return Action::none;
}
Action Handler::on_eof(Conn& /*conn*/) {
  return Action::close;
}
Action Handler::on_writable(Conn& /*conn*/) {
  return Action::none;
}
Action Handler::on_drain(Conn& /*conn*/) {
  return Action::close;
}
Action Handler::on_close(Conn& /*conn*/, std::error_code /*reason*/) {
  return Action::none;
}
Tick Handler::on_tick() {
  return {std::chrono::seconds{1}};
}
void Handler::on_shutdown(Engine& /*engine*/) {}

}  // namespace ringwire
