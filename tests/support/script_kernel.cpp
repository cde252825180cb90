// What a kernel does with rings, without anything behind it.
#include "tests/support/script_kernel.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace ringwire::test {
namespace {

int next_result(std::deque<int>& results) {
  if (results.empty()) return 0;
  const int result = results.front();
  results.pop_front();
  return result;
}

std::uint16_t tail_of(const io_uring_buf* entries) {
  return entries[0].resv;
}

}  // namespace

// ---- the script

std::optional<Request> ScriptKernel::take(uring::Op op) {
  const auto found = std::find_if(submitted.begin(), submitted.end(),
                                  [op](const Request& request) { return request.token().op == op; });
  if (found == submitted.end()) return std::nullopt;
  const Request request = *found;
  submitted.erase(found);
  return request;
}

void ScriptKernel::complete(const Request& request, int res, unsigned flags) {
  post(request.ring_fd, request.token(), res, flags);
}

std::size_t ScriptKernel::cancel_outstanding() {
  const std::vector<Request> requests = outstanding_;
  submitted.clear();
  for (const Request& request : requests) {
    const bool succeeds =
        request.sqe.opcode == IORING_OP_ASYNC_CANCEL || request.sqe.opcode == IORING_OP_CLOSE;
    complete(request, succeeds ? 0 : -ECANCELED);
  }
  return requests.size();
}

void ScriptKernel::post(int ring_fd, uring::Token token, int res, unsigned flags) {
  if ((flags & IORING_CQE_F_MORE) == 0) {
    const auto found = std::find_if(outstanding_.begin(), outstanding_.end(), [&](const Request& request) {
      return request.ring_fd == ring_fd && request.sqe.user_data == token.pack();
    });
    if (found != outstanding_.end()) outstanding_.erase(found);
  }
  rings_.at(ring_fd)->waiting.push_back({token.pack(), res, flags});
}

bool ScriptKernel::receive(const Request& request, std::string_view bytes, bool more) {
  Buffers& buffers = rings_.at(request.ring_fd)->buffers.at(request.sqe.buf_group);
  if (buffers.head == tail_of(buffers.entries)) {
    complete(request, -ENOBUFS);
    return false;
  }
  const io_uring_buf& buffer = buffers.entries[buffers.head++ & (buffers.count - 1)];
  std::memcpy(std::bit_cast<void*>(static_cast<std::uintptr_t>(buffer.addr)), bytes.data(), bytes.size());
  const unsigned flags = IORING_CQE_F_BUFFER | (unsigned{buffer.bid} << IORING_CQE_BUFFER_SHIFT) |
                         (more ? IORING_CQE_F_MORE : 0U);
  complete(request, static_cast<int>(bytes.size()), flags);
  return true;
}

std::size_t ScriptKernel::free_buffers(std::uint16_t bgid) const {
  const Buffers& buffers = rings_.begin()->second->buffers.at(bgid);
  return static_cast<std::uint16_t>(tail_of(buffers.entries) - buffers.head);
}

std::size_t ScriptKernel::buffer_size(std::uint16_t bgid) const {
  const Buffers& buffers = rings_.begin()->second->buffers.at(bgid);
  return buffers.entries[buffers.head & (buffers.count - 1)].len;
}

std::string ScriptKernel::content(const Request& request) {
  const auto text = [](std::uint64_t address, std::size_t size) {
    return std::string{std::bit_cast<const char*>(static_cast<std::uintptr_t>(address)), size};
  };
  if (request.sqe.opcode == IORING_OP_SEND) return text(request.sqe.addr, request.sqe.len);

  std::string all;
  const auto* message = std::bit_cast<const msghdr*>(static_cast<std::uintptr_t>(request.sqe.addr));
  for (std::size_t index = 0; index < message->msg_iovlen; ++index) {
    all.append(static_cast<const char*>(message->msg_iov[index].iov_base), message->msg_iov[index].iov_len);
  }
  return all;
}

std::size_t ScriptKernel::unreaped(int ring_fd) const {
  const Memory& memory = *rings_.at(ring_fd);
  return memory.waiting.size() + (memory.cq_tail - memory.cq_head);
}

// ---- rings

int ScriptKernel::open_ring(io_uring& ring, unsigned entries, io_uring_params& params) noexcept {
  if (const int result = next_result(open_ring_results); result != 0) return result;

  auto memory = std::make_unique<Memory>();
  const unsigned sq_entries = std::bit_ceil(entries);
  const unsigned cq_entries = std::bit_ceil(params.cq_entries);
  memory->array.resize(sq_entries);
  memory->sqes.resize(sq_entries);
  memory->cqes.resize(cq_entries);

  ring = {};
  ring.sq.khead = &memory->sq_head;
  ring.sq.ktail = &memory->sq_tail;
  ring.sq.kflags = &memory->sq_flags;
  ring.sq.array = memory->array.data();
  ring.sq.sqes = memory->sqes.data();
  ring.sq.ring_mask = sq_entries - 1;
  ring.sq.ring_entries = sq_entries;
  ring.cq.khead = &memory->cq_head;
  ring.cq.ktail = &memory->cq_tail;
  ring.cq.cqes = memory->cqes.data();
  ring.cq.ring_mask = cq_entries - 1;
  ring.cq.ring_entries = cq_entries;
  ring.flags = params.flags;
  ring.features = features;
  memory->disabled = (params.flags & IORING_SETUP_R_DISABLED) != 0;
  ring.ring_fd = ring.enter_ring_fd = next_fd_++;
  params.features = features;
  ring_flags.push_back(params.flags);
  rings_.emplace(ring.ring_fd, std::move(memory));
  return 0;
}

void ScriptKernel::close_ring(io_uring& ring) noexcept {
  std::erase_if(outstanding_, [&](const Request& request) { return request.ring_fd == ring.ring_fd; });
  rings_.erase(ring.ring_fd);
}

void ScriptKernel::submit(int ring_fd, Memory& memory, unsigned count) {
  for (; count > 0 && memory.sq_head != memory.sq_tail; --count) {
    const unsigned mask = static_cast<unsigned>(memory.sqes.size()) - 1;
    const io_uring_sqe& sqe = memory.sqes[memory.array[memory.sq_head & mask]];
    const Request request{
        ring_fd,
        {sqe.opcode, sqe.flags, sqe.ioprio, sqe.fd, sqe.off, sqe.addr, sqe.len,
         static_cast<std::uint32_t>(sqe.msg_flags), sqe.user_data, sqe.buf_group, sqe.file_index}};
    std::atomic_ref{memory.sq_head}.store(memory.sq_head + 1, std::memory_order_release);
    outstanding_.push_back(request);
    switch (request.token().op) {
      case uring::Op::probe:
        credit_probes += request.sqe.file_index != 0 ? 1 : 0;
        complete(request, request.sqe.file_index != 0 ? credit_result : probe_result);
        break;
      case uring::Op::handoff_send:  // Carried out at once, unless the script has a say.
        if (rings_.contains(request.sqe.fd) && enter_results.empty()) {
          rings_.at(request.sqe.fd)
              ->waiting.push_back({request.sqe.off, static_cast<int>(request.sqe.len), 0});
          complete(request, 0);
        } else {
          submitted.push_back(request);
        }
        break;
      default:
        if (!at_once || !at_once(request)) submitted.push_back(request);
    }
  }
}

void ScriptKernel::deliver(Memory& memory) {
  const auto size = static_cast<unsigned>(memory.cqes.size());
  while (!memory.waiting.empty() && memory.cq_tail - memory.cq_head < size) {
    io_uring_cqe& cqe = memory.cqes[memory.cq_tail & (size - 1)];
    cqe.user_data = memory.waiting.front().user_data;
    cqe.res = memory.waiting.front().res;
    cqe.flags = memory.waiting.front().flags;
    memory.waiting.pop_front();
    ++memory.cq_tail;
  }
  memory.sq_flags = memory.waiting.empty() ? 0 : IORING_SQ_CQ_OVERFLOW;
}

int ScriptKernel::enter(io_uring& ring, unsigned submit_count, unsigned wait_count, unsigned flags,
                        std::int64_t timeout) noexcept {
  ++enters;
  enter_flags |= flags;
  if (wait_count > 0) waits.push_back(timeout);
  Memory& memory = *rings_.at(ring.ring_fd);
  if (memory.disabled) return -EBADFD;
  const int result = next_result(enter_results);
  if (result < 0) {
    deliver(memory);
    return result;
  }
  submit(ring.ring_fd, memory, submit_count);
  deliver(memory);
  return static_cast<int>(submit_count);
}

int ScriptKernel::register_ring(io_uring& ring, unsigned opcode, void* argument, unsigned count) noexcept {
  registered.push_back(opcode);
  if (const int result = next_result(register_results); result != 0) return result;
  if (opcode == IORING_REGISTER_RESTRICTIONS) {
    if (!rings_.at(ring.ring_fd)->disabled) return -EBADFD;
    const auto* rules = static_cast<const io_uring_restriction*>(argument);
    restrictions.assign(rules, rules + count);
  }
  if (opcode == IORING_REGISTER_ENABLE_RINGS) {
    if (!std::exchange(rings_.at(ring.ring_fd)->disabled, false)) return -EBADFD;
  }
  if (opcode == IORING_REGISTER_PBUF_RING) {
    const auto& request = *static_cast<const io_uring_buf_reg*>(argument);
    rings_.at(ring.ring_fd)->buffers[request.bgid] = {
        std::bit_cast<io_uring_buf*>(static_cast<std::uintptr_t>(request.ring_addr)), request.ring_entries,
        0};
  }
  return 0;
}

int ScriptKernel::wake_ring(int ring_fd, std::uint64_t user_data) noexcept {
  ++wakes;
  if (const int result = next_result(wake_results); result < 0) return result;
  if (wake_result < 0) return wake_result;
  if (rings_.at(ring_fd)->disabled) return -EBADFD;
  rings_.at(ring_fd)->waiting.push_back({user_data, 0, 0});
  return 0;
}

// ---- sockets and the rest

int ScriptKernel::open_socket(int, int, int) noexcept {
  const int result = next_result(open_socket_results);
  return result != 0 ? result : next_fd_++;
}
int ScriptKernel::bind(int, const kernel::SocketName&) noexcept {
  return 0;
}
int ScriptKernel::listen(int, int) noexcept {
  return 0;
}
int ScriptKernel::accept(int) noexcept {
  if (accept_results.empty()) return -EAGAIN;
  const int result = accept_results.front();
  accept_results.pop_front();
  return result;
}
int ScriptKernel::set_option(int fd, int, int name, const void*, socklen_t) noexcept {
  options_set.emplace_back(fd, name);
  return 0;
}
int ScriptKernel::get_option(int, int, int, void*, socklen_t&) noexcept {
  return -ENOTSUP;
}
int ScriptKernel::connect(int, const kernel::SocketName& name) noexcept {
  connected.push_back(name);
  return next_result(connect_results);
}
int ScriptKernel::local_name(int, kernel::SocketName& name) noexcept {
  if (own_name.size == 0) return -ENOTCONN;
  name = own_name;
  return 0;
}
int ScriptKernel::peer_name(int, kernel::SocketName&) noexcept {
  return -ENOTCONN;
}
int ScriptKernel::shutdown(int fd, int how) noexcept {
  shut_down.emplace_back(fd, how);
  return 0;
}
int ScriptKernel::close(int fd) noexcept {
  closed.push_back(fd);
  return 0;
}
int ScriptKernel::resolve(const std::string&, int, std::vector<kernel::SocketName>&) {
  return -ENOENT;
}
int ScriptKernel::open_event() noexcept {
  ++events_opened;
  return next_fd_++;
}
int ScriptKernel::signal_event(int fd) noexcept {
  signalled.push_back(fd);
  return 0;
}
int ScriptKernel::open_signals() noexcept {
  return next_fd_++;
}
void ScriptKernel::close_signals(int fd) noexcept {
  closed.push_back(fd);
}

void* ScriptKernel::map_memory(std::size_t size) noexcept {
  auto memory = std::make_unique<std::byte[]>(size);
  void* address = memory.get();
  maps_.emplace(address, std::move(memory));
  return address;
}
void ScriptKernel::unmap_memory(void* memory, std::size_t) noexcept {
  maps_.erase(memory);
}

std::unique_ptr<kernel::Thread> ScriptKernel::start_thread(const std::string&, int, Task) {
  std::abort();  // The test steps loops itself.
}

std::string ScriptKernel::environment(const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string{} : found->second;
}

}  // namespace ringwire::test
