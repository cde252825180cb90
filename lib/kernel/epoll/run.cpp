// A request's way to its completion: tried at once, made to wait, linked, cancelled.
#include "lib/base/assert.hpp"
#include "lib/kernel/epoll/directory.hpp"
#include "lib/kernel/epoll/ring.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

namespace ringwire::kernel::epoll {
namespace {

// Only what could not even begin breaks a hard link; any failure breaks the other kind.
bool breaks_link(const Request& request, int res) noexcept {
  if ((request.flags & IOSQE_IO_HARDLINK) != 0) return res == -EINVAL && check(request) != 0;
  return res < 0 || (wants_all(request) && static_cast<std::uint32_t>(res) < request.len);
}

}  // namespace

void Ring::run(Request request, Chain rest) noexcept {
  Task task;
  task.request = request;
  const std::optional<int> res = begin(task, rest);
  if (!res) return;  // It waits, and has taken the rest along.
  restore_blocking(task);
  finish(request, *res, 0);
  complete_cancelled();
  if (!rest.empty()) go_on(request, *res, std::move(rest));
}

// What is linked behind a request that has completed. It is looked at only now: behind one that waits, the
// reactor links nothing that points to memory.
void Ring::go_on(const Request& request, int res, Chain rest) noexcept {
  RINGWIRE_ASSERT(!rest.empty());
  if (breaks_link(request, res)) {
    for (const Request& each : rest) finish(each, -ECANCELED, 0);
    return;
  }
  const Request next = rest.front();
  rest.erase(rest.begin());
  run(next, std::move(rest));
}

std::optional<int> Ring::begin(Task& task, Chain& rest) noexcept {
  if (const int result = check(task.request); result < 0) return result;
  try {
    return perform(task, rest);
  } catch (const std::bad_alloc&) {
    return task.done > 0 ? static_cast<int>(task.done) : -ENOMEM;
  }
}

// The result, or nothing when the task waits from now on.
std::optional<int> Ring::perform(Task& task, Chain& rest) {
  const Request& request = task.request;
  switch (request.opcode) {
    case IORING_OP_NOP:
      return 0;
    case IORING_OP_ASYNC_CANCEL:
      return cancel(request);
    case IORING_OP_CLOSE:
      return close(request.fd);
    case IORING_OP_MSG_RING:
      return post_message(request.fd, {request.off, static_cast<std::int32_t>(request.len)});
    case IORING_OP_ACCEPT:
      set_non_blocking(request.fd);
      break;
    case IORING_OP_RECV:
    case IORING_OP_RECVMSG: {
      // Linux looks for a buffer before it looks for bytes, unless told to poll first.
      const bool selects = (request.flags & IOSQE_BUFFER_SELECT) != 0;
      const bool polls_first = (request.ioprio & IORING_RECVSEND_POLL_FIRST) != 0;
      if (selects && !polls_first && request.fd >= 0 && !soft_.next_buffer(request.buf_group)) {
        return -ENOBUFS;
      }
      break;
    }
    default:
      if (const auto res = try_once(task)) return res;
  }
  const int result = watches_.add(task, rest);
  return result < 0 ? std::optional{result} : std::nullopt;
}

void Ring::finish(const Request& request, int res, unsigned flags) noexcept {
  if (res >= 0 && (request.flags & IOSQE_CQE_SKIP_SUCCESS) != 0) return;
  soft_.post(request.user_data, res, flags);
}

void Ring::complete(Operation& operation, int res, unsigned flags) noexcept {
  const auto owner = watches_.remove(operation);
  finish(owner->task.request, res, flags);
  if (!owner->rest.empty()) go_on(owner->task.request, res, std::move(owner->rest));
}

// ---- cancel, close

int Ring::cancel(const Request& request) {
  const bool any = (request.flags_word & IORING_ASYNC_CANCEL_ANY) != 0;
  const bool all = any || (request.flags_word & IORING_ASYNC_CANCEL_ALL) != 0;
  const bool by_fd = !any && (request.flags_word & IORING_ASYNC_CANCEL_FD) != 0;
  const auto find = [&] {
    if (any) return watches_.first();
    return by_fd ? watches_.find_on(request.fd) : watches_.find(request.addr);
  };

  int count = 0;
  while (Operation* operation = find()) {
    cancelled_.emplace_back();  // Before it is removed: this may throw.
    cancelled_.back() = watches_.remove(*operation);
    ++count;
    if (!all) return 0;
  }
  if (count == 0 && by_fd && ::fcntl(request.fd, F_GETFD) < 0) return -EBADF;
  return all ? count : -ENOENT;
}

void Ring::complete_cancelled() noexcept {
  while (!cancelled_.empty()) {
    for (const auto& operation : std::exchange(cancelled_, {})) {
      Task& task = operation->task;
      restore_blocking(task);
      const int res = cancelled_result(task);
      finish(task.request, res, 0);
      if (!operation->rest.empty()) go_on(task.request, res, std::move(operation->rest));
    }
  }
}

int Ring::close(int fd) noexcept {
  watches_.forget(fd);
  return ::close(fd) < 0 ? -errno : 0;
}

}  // namespace ringwire::kernel::epoll
