// Cancelling: which operations, and the three ways it can go.
//
//   at once      the target answers ECANCELED (a send that has begun: what it has done), before or after the
//   cancel EALREADY     the target is under way: it ends soon, one way or the other missed       the cancel
//   answers 0, but the target had done its work: its completion says so
#include "lib/kernel/sim/sim_kernel.hpp"

#include <algorithm>
#include <cerrno>

namespace ringwire::kernel::sim {

bool SimKernel::matches(const Operation& cancel, const Operation& target) const {
  if (&cancel == &target || cancel.ring_fd != target.ring_fd || target.file == nullptr) return false;
  const std::uint32_t flags = cancel.request.flags_word;
  if ((flags & IORING_ASYNC_CANCEL_ANY) != 0) return true;
  if ((flags & IORING_ASYNC_CANCEL_FD) != 0) return target.file == cancel.file;
  return target.request.user_data == cancel.request.addr;
}

void SimKernel::attempt_cancel(Operation& operation) {
  const std::uint32_t flags = operation.request.flags_word;
  if ((flags & IORING_ASYNC_CANCEL_FD) != 0) {
    operation.file = files_.find(operation.request.fd);
    if (operation.file == nullptr) return end(operation, -EBADF);
  }
  std::vector<Operation*> targets;
  for (const auto& each : operations_) {
    if (!each->doomed && matches(operation, *each)) targets.push_back(each.get());
  }
  operation.file = nullptr;
  const bool all = (flags & IORING_ASYNC_CANCEL_ALL) != 0;
  const int forced = all ? 0 : faults_.take_forced(IORING_OP_ASYNC_CANCEL);  // Of all, Linux answers a count.
  if (forced == -ENOENT) {                                                   // All of them end just before.
    for (Operation* target : targets) {
      target->doomed = true;
      attempt(*target);
    }
    targets.clear();
  }
  if (!all && targets.size() > 1) targets.resize(1);

  std::vector<Operation*> at_once;
  // With ALL it is a count, also of none; a single cancel that finds nothing has failed.
  int result = !all && targets.empty() ? -ENOENT : 0;
  for (Operation* target : targets) {
    const int each = cancel_one(*target, at_once, forced == -EALREADY);
    result = all ? result + 1 : each;
  }
  if (result < 0 && result != forced) faults_.count_error(IORING_OP_ASYNC_CANCEL, result);

  const bool cancel_first = !at_once.empty() && faults_.happens(Fault::cancel_reordered);
  if (cancel_first) end(operation, result);
  for (Operation* target : at_once) end_cancelled(*target);
  if (!cancel_first) end(operation, result);
}

int SimKernel::cancel_one(Operation& target, std::vector<Operation*>& at_once, bool late) {
  if (late || faults_.happens(Fault::cancel_late)) {
    target.doomed = true;
    return -EALREADY;
  }
  if (faults_.happens(Fault::cancel_missed)) {
    target.doomed = true;
    return 0;
  }
  at_once.push_back(&target);
  return 0;
}

void SimKernel::end_cancelled(Operation& operation) {
  faults_.count_error(operation.request.opcode, -ECANCELED);
  end(operation, operation.progress > 0 ? static_cast<int>(operation.progress) : -ECANCELED);
}

bool SimKernel::is_pending(const Operation& operation) const noexcept {
  return std::any_of(operations_.begin(), operations_.end(),
                     [&](const auto& each) { return each.get() == &operation; });
}

void SimKernel::end_doomed(Operation& operation) {
  operation.doomed = false;
  // As one shot: whatever it does now is its last word.
  operation.request.ioprio &= static_cast<std::uint16_t>(~(IORING_RECV_MULTISHOT | IORING_ACCEPT_MULTISHOT));
  if (!can_move(operation) || choices_.draw(2) == 0) return end_cancelled(operation);
  attempt(operation);
  // A send may have found no room for the rest.
  if (is_pending(operation)) end_cancelled(operation);
}

}  // namespace ringwire::kernel::sim
