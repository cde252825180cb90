// How a connection's events reach its stream.
//
// Leaves every decision to `Core`. Invariant: between an event's begin and end the core is counted here, so a
// completion handler may destroy the stream.
#include <ringwire/asio/stream_handler.hpp>

#include "lib/base/assert.hpp"

#include <utility>

namespace ringwire::asio {

namespace {

detail::CoreRef core_of(Conn& conn) {
  const auto* attachment = conn.context<detail::Attachment>();
  RINGWIRE_REQUIRE(attachment != nullptr, "the context of a connection belongs to its stream");
  return attachment->core;
}

}  // namespace

Action stream_handler::on_open(Conn& conn) {
  auto& attachment =
      conn.emplace_context<detail::Attachment>(detail::Attachment{detail::CoreRef::make(conn)});
  const detail::LoopWork::Scope scope(attachment.core->work());
  on_stream(stream(attachment.core));
  return Action::none;
}

Action stream_handler::on_traffic(Conn& conn) {
  const detail::CoreRef core = core_of(conn);
  const detail::LoopWork::Scope scope(core->work());
  core->on_traffic();
  return Action::none;
}

Action stream_handler::on_eof(Conn& conn) {
  const detail::CoreRef core = core_of(conn);
  const detail::LoopWork::Scope scope(core->work());
  core->on_eof();
  return Action::none;
}

Action stream_handler::on_writable(Conn& conn) {
  const detail::CoreRef core = core_of(conn);
  const detail::LoopWork::Scope scope(core->work());
  core->on_writable();
  return Action::none;
}

Action stream_handler::on_drain(Conn& conn) {
  const detail::CoreRef core = core_of(conn);
  const detail::LoopWork::Scope scope(core->work());
  return core->on_drain();
}

Action stream_handler::on_close(Conn& conn, std::error_code reason) {
  if (conn.context<detail::Attachment>() == nullptr) return Action::none;  // on_open had no memory for it.
  const detail::CoreRef core = core_of(conn);
  const detail::LoopWork::Scope scope(core->work());
  core->on_close(reason);
  return Action::none;
}

}  // namespace ringwire::asio
