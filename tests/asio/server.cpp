// See server.hpp.
#include "tests/asio/server.hpp"

#include <unistd.h>

#include <chrono>
#include <stdexcept>

namespace ringwire::test {

StreamServer::StreamServer(Serve serve, Options options) : serve_(std::move(serve)) {
  // A blocking Asio client has no deadline of its own.
  ::alarm(static_cast<unsigned>(2 * std::chrono::duration_cast<std::chrono::seconds>(patience).count()));
  options.log_level = LogLevel::off;
  thread_ = std::thread([this, options] {
    result_ = run(*this, "tcp://127.0.0.1:0", options);
    booted_.give(result_);
  });
  const auto error = booted_.take();
  if (error && !*error) return;
  thread_.join();
  throw std::runtime_error("the server does not start: " + explain(error.value_or(std::error_code{})));
}

StreamServer::~StreamServer() {
  stop();
  ::alarm(0);
}

Action StreamServer::on_boot(Engine& engine) {
  engine_ = &engine;
  address_ = engine.addresses().front();
  booted_.give({});
  return Action::none;
}

std::error_code StreamServer::stop() {
  if (thread_.joinable()) {
    engine_->stop();
    thread_.join();
  }
  return result_;
}

bool StreamServer::wait_until_empty() const {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (engine_->connections_count() != 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace ringwire::test
