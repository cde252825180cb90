// Counting arrivals.
#include "lib/engine/gate.hpp"

#include "lib/base/assert.hpp"
#include "lib/base/error.hpp"

namespace ringwire::engine {

void Gate::note(std::error_code error) {
  RINGWIRE_ASSERT(missing_ > 0);
  if (error && !error_) {
    error_ = error;
    detail_ = base::last_detail(error);
  }
  if (--missing_ == 0) opened_.notify_all();
}

bool Gate::arrive(std::error_code error) {
  std::unique_lock lock{mutex_};
  note(error);
  opened_.wait(lock, [&] { return missing_ == 0; });
  return !error_;
}

void Gate::give_up(std::error_code error) {
  const std::lock_guard lock{mutex_};
  note(error);
}

std::error_code Gate::wait() {
  std::unique_lock lock{mutex_};
  opened_.wait(lock, [&] { return missing_ == 0; });
  return error_ ? base::fail(error_, detail_) : error_;
}

}  // namespace ringwire::engine
