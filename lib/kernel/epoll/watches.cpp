// The epoll set, and lists of who waits.
#include "lib/kernel/epoll/watches.hpp"

#include "lib/base/assert.hpp"

#include <linux/time_types.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace ringwire::kernel::epoll {
namespace {

constexpr std::uint32_t interests = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
constexpr std::uint32_t ends = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::int64_t nanoseconds_per_millisecond = 1'000'000;
constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

bool is_tcp(int fd) noexcept {
  int protocol = 0;
  socklen_t size = sizeof(protocol);
  return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

// Up, because a wait that ends early would be begun again at once.
int to_milliseconds(std::int64_t timeout) noexcept {
  if (timeout < 0) return -1;
  const std::int64_t rounded = (timeout + nanoseconds_per_millisecond - 1) / nanoseconds_per_millisecond;
  return rounded > INT_MAX ? INT_MAX : static_cast<int>(rounded);
}

}  // namespace

Watches::~Watches() {
  while (Operation* operation = first()) remove(*operation);
  if (epoll_ >= 0) ::close(epoll_);
}

int Watches::open(int bell) noexcept {
  RINGWIRE_ASSERT(epoll_ < 0);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return -errno;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, bell, &event) < 0 ? -errno : epoll_;
}

Watch& Watches::at(int fd) {
  RINGWIRE_ASSERT(fd >= 0);
  const auto index = static_cast<std::size_t>(fd);
  if (index >= watches_.size()) watches_.resize(std::max(index + 1, watches_.size() * 2));
  if (watches_[index] == nullptr) {
    watches_[index] = std::make_unique<Watch>();
    watches_[index]->fd = fd;
  }
  return *watches_[index];
}

// Tells epoll of a descriptor, anew if it knows it already: either way it answers with what is there now.
int Watches::enlist(Watch& watch, bool for_recv) noexcept {
  watch.readable = false;
  watch.short_is_all = for_recv && is_tcp(watch.fd);
  epoll_event event{};
  event.events = interests;
  event.data.ptr = &watch;
  int verb = watch.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  for (;;) {
    if (::epoll_ctl(epoll_, verb, watch.fd, &event) == 0) break;
    if (errno == ENOENT && verb == EPOLL_CTL_MOD) {
      verb = EPOLL_CTL_ADD;  // It was closed, and the number used again.
    } else if (errno == EEXIST && verb == EPOLL_CTL_ADD) {
      verb = EPOLL_CTL_MOD;
    } else {
      return -errno;
    }
  }
  watch.registered = true;
  return 0;
}

int Watches::add(Task& task, std::vector<Request>& rest) {
  if (task.request.fd < 0) return -EBADF;
  keep(task);
  Watch& watch = at(task.request.fd);
  const auto place = operations_.emplace(task.request.user_data, std::make_unique<Operation>());
  Operation& operation = *place->second;

  const bool is_first = watch.operations.empty();
  const int result = is_first ? enlist(watch, task.request.opcode == IORING_OP_RECV) : 0;
  // Files are always ready, so epoll does not take them; a try does not wait either.
  const bool is_file = result == -EPERM;
  if (result < 0 && !is_file) {
    operations_.erase(place);
    return result;
  }
  operation.task = std::move(task);
  operation.rest = std::move(rest);
  operation.watch = &watch;
  watch.operations.push_back(operation);
  armed_.push_back(operation);
  const bool is_reader_of_more = !is_first && watch.readable && is_reader(operation.task.request);
  if (is_file || is_reader_of_more || operation.task.request.opcode == IORING_OP_ACCEPT) {
    mark_ready(operation);
  }
  return 0;
}

std::unique_ptr<Operation> Watches::remove(Operation& operation) noexcept {
  unmark(operation);
  armed_.remove(operation);
  if (operation.watch != nullptr) operation.watch->operations.remove(operation);
  operation.watch = nullptr;

  auto [place, end] = operations_.equal_range(operation.task.request.user_data);
  while (place != end && place->second.get() != &operation) ++place;
  RINGWIRE_ASSERT(place != end);
  auto owner = std::move(place->second);
  operations_.erase(place);
  return owner;
}

int Watches::wait(std::int64_t timeout) noexcept {
  int count = -1;
  if (timeout > 0 && has_pwait2_) {
    const __kernel_timespec time{timeout / nanoseconds_per_second, timeout % nanoseconds_per_second};
    count = static_cast<int>(
        ::syscall(SYS_epoll_pwait2, epoll_, events_.data(), events_max, &time, nullptr, std::size_t{0}));
    // Linux 5.11 has it, but a container's filter may be older than that.
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) has_pwait2_ = false;
  }
  if (timeout <= 0 || !has_pwait2_) {
    count = ::epoll_wait(epoll_, events_.data(), events_max, to_milliseconds(timeout));
  }
  if (count < 0) return -errno;
  for (const epoll_event& event : std::span{events_}.first(static_cast<std::size_t>(count))) {
    // The bell has done its work by ending the wait.
    if (event.data.ptr != nullptr) on_event(*static_cast<Watch*>(event.data.ptr), event.events);
  }
  return count;
}

void Watches::on_event(Watch& watch, std::uint32_t events) noexcept {
  const bool readable = (events & (EPOLLIN | EPOLLPRI | ends)) != 0;
  const bool writable = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
  if (readable) watch.readable = true;
  // A FIN behind the bytes brings no event of its own any more; an urgent byte between them cuts reads short.
  if ((events & (EPOLLPRI | ends)) != 0) watch.short_is_all = false;
  for (Operation* each = watch.operations.front(); each != nullptr; each = watch.operations.after(*each)) {
    if (is_reader(each->task.request) ? readable : writable) mark_ready(*each);
  }
}

void Watches::mark_ready(Operation& operation) noexcept {
  if (operation.base::Link<Ready>::linked()) return;
  ready_.push_back(operation);
  ++ready_count_;
}

void Watches::unmark(Operation& operation) noexcept {
  if (!operation.base::Link<Ready>::linked()) return;
  ready_.remove(operation);
  --ready_count_;
}

Operation* Watches::next_ready() noexcept {
  Operation* operation = ready_.front();
  if (operation != nullptr) unmark(*operation);
  return operation;
}

Operation* Watches::find(std::uint64_t user_data) noexcept {
  const auto found = operations_.find(user_data);
  return found == operations_.end() ? nullptr : found->second.get();
}

Operation* Watches::find_on(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (fd < 0 || index >= watches_.size() || watches_[index] == nullptr) return nullptr;
  return watches_[index]->operations.front();
}

void Watches::forget(int fd) noexcept {
  while (Operation* operation = find_on(fd)) {
    unmark(*operation);
    operation->watch->operations.remove(*operation);
    operation->watch = nullptr;
  }
}

}  // namespace ringwire::kernel::epoll
