// From news to the handler. Events of connections, and how a connect ended, reach user code from this file
// only; those of datagrams from react_datagrams.cpp.
//
// Each event is told, and its Action obeyed, before the next. What the handler throws closes its connection,
// nothing else.
#include <ringwire/error.hpp>

#include "lib/base/assert.hpp"
#include "lib/loop/loop.hpp"

namespace ringwire::loop {

template <typename Event>
void Loop::tell(Client& client, const char* name, Event&& event) noexcept {
  try {
    obey(&client, event());
  } catch (...) {
    base::tally(shared_.metrics.handler_failures);
    base::log_exception(with_.log, name);
    client.begin_close(Error::handler_failed);
  }
}

void Loop::obey(conn::Connection* connection, Action action) noexcept {
  if (action == Action::close && connection != nullptr) connection->close();
  if (action == Action::shutdown) with_.owner.stop_wanted();
}

void Loop::tell_connected(Connected& done, conn::Connection* connection, std::error_code error) noexcept {
  if (connection == nullptr) base::tally(shared_.metrics.connects_failed);
  if (done) guard("a connect callback", [&] { done(connection, error); });
}

void Loop::react() noexcept {
  while (conn::Connection* connection = shared_.news.pop_front()) react_to(static_cast<Client&>(*connection));
  if (datagrams_.in_use()) react_to_datagrams();
}

void Loop::react_to(Client& client) noexcept {
  Handler& handler = with_.handler;
  const conn::Happened happened = client.take_news();
  if (happened.traffic && client.offers_traffic()) tell_traffic(client);
  if (happened.eof && client.is_open() && client.claim_eof()) {
    tell(client, "on_eof", [&] { return handler.on_eof(client); });
  }
  if (happened.writable && client.is_open() && client.claim_writable()) {
    tell(client, "on_writable", [&] { return handler.on_writable(client); });
  }
  if (happened.drain && client.is_open()) {
    tell(client, "on_drain", [&] { return handler.on_drain(client); });
  }
  while (auto done = client.take_done(false)) {
    guard("a write callback", [&] { (*done)({}); });
  }
  client.settle();
}

void Loop::tell_traffic(Client& client) noexcept {
  std::size_t before = 0;
  do {
    before = client.inbound_size();
    tell(client, "on_traffic", [&] { return with_.handler.on_traffic(client); });
  } while (with_.options.redeliver && client.redelivers(before));
}

void Loop::react_to_open(Client& client) noexcept {
  tell(client, "on_open", [&] { return with_.handler.on_open(client); });
  if (stopping_) tell_leaving_to(client);
}

void Loop::react_to_end(Client& client) noexcept {
  RINGWIRE_ASSERT(client.is_closed());

  while (auto done = client.take_done(false)) {
    guard("a write callback", [&] { (*done)({}); });
  }
  while (auto done = client.take_done(true)) {
    guard("a write callback", [&] { (*done)(Error::closed); });
  }
  tell(client, "on_close", [&] { return with_.handler.on_close(client, client.reason()); });
  for (Done& done : client.take_closed_callbacks()) {
    guard("a close callback", [&] { done({}); });
  }
}

}  // namespace ringwire::loop
