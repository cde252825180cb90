// The life of an operation: begun at submission, tried when something can move, ended with its last
// completion.
#include "lib/base/assert.hpp"
#include "lib/kernel/sim/errors.hpp"
#include "lib/kernel/sim/sim_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ringwire::kernel::sim {
namespace {

template <typename T>
T* pointer(std::uint64_t address) noexcept {
  return reinterpret_cast<T*>(static_cast<std::uintptr_t>(address));
}

bool is_send(const Operation& operation) noexcept {
  return operation.request.opcode == IORING_OP_SEND || operation.request.opcode == IORING_OP_SENDMSG;
}

bool is_receive(const Operation& operation) noexcept {
  return operation.request.opcode == IORING_OP_RECV || operation.request.opcode == IORING_OP_RECVMSG;
}

bool needs_file(std::uint8_t opcode) noexcept {
  return opcode != IORING_OP_ASYNC_CANCEL && opcode != IORING_OP_CLOSE && opcode != IORING_OP_MSG_RING;
}

constexpr unsigned burst_max = 32;  // MULTISHOT_MAX_RETRY

// Does this errno mean that the connection itself is gone?
bool breaks_connection(int error) noexcept {
  switch (-error) {
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ECONNREFUSED:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EPROTO:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool SimKernel::is_multishot(const Operation& operation) noexcept {
  const Request& request = operation.request;
  if (request.opcode == IORING_OP_ACCEPT) return (request.ioprio & IORING_ACCEPT_MULTISHOT) != 0;
  return is_receive(operation) && (request.ioprio & IORING_RECV_MULTISHOT) != 0;
}

// ---- begin

void SimKernel::begin(std::unique_ptr<Operation> begun) {
  Operation& operation = *operations_.emplace_back(std::move(begun));
  const std::uint8_t opcode = operation.request.opcode;
  if (errors_of(opcode).empty()) return end(operation, -EINVAL);
  if (!needs_file(opcode)) return attempt(operation);

  operation.file = files_.find(operation.request.fd);
  if (operation.file == nullptr) return end(operation, -EBADF);
  if (is_send(operation) || opcode == IORING_OP_CONNECT || opcode == IORING_OP_RECVMSG) {
    take_memory(operation);
  }
  for (const auto& other : operations_) {
    // Bytes of two sends would mix; datagrams do not.
    const bool same_kind = is_send(*other) ? is_send(operation) && operation.file->datagrams == nullptr
                                           : other->request.opcode == opcode;
    // Loops that accept for themselves share a unix socket, through a duplicate each.
    const bool may_share = opcode == IORING_OP_ACCEPT && other->ring_fd != operation.ring_fd;
    if (other.get() != &operation && other->file == operation.file && same_kind && !may_share &&
        !other->doomed) {
      violate(fmt::format("two {} at once on descriptor {}", opcode_name(opcode), operation.request.fd));
    }
  }
  const bool looks_for_buffer =
      is_receive(operation) && (operation.request.ioprio & IORING_RECVSEND_POLL_FIRST) == 0;
  if (looks_for_buffer &&
      rings_.at(operation.ring_fd).queues->buffers_count(operation.request.buf_group) == 0) {
    return end(operation, -ENOBUFS);  // Also when there is nothing to receive.
  }
  if (can_move(operation) && faults_.happens(Fault::inline_attempt)) attempt(operation);
}

// What Linux copies when it takes the SQE: the address of a connect, the pieces of a send; not the bytes.
void SimKernel::take_memory(Operation& operation) {
  const Request& request = operation.request;
  if (request.opcode == IORING_OP_CONNECT) {
    operation.target.size = static_cast<socklen_t>(request.off);
    std::memcpy(&operation.target.storage, pointer<const void>(request.addr), operation.target.size);
    return;
  }
  if (request.opcode == IORING_OP_SEND) {
    operation.pieces.emplace_back(pointer<std::byte>(request.addr), request.len);
    return;
  }
  const auto& message = *pointer<const msghdr>(request.addr);
  operation.name_size = message.msg_namelen;
  operation.control_size = message.msg_controllen;
  if (request.opcode == IORING_OP_RECVMSG) return;
  if (message.msg_name != nullptr) {
    operation.target.size = message.msg_namelen;
    std::memcpy(&operation.target.storage, message.msg_name, message.msg_namelen);
  }
  for (std::size_t index = 0; index < message.msg_iovlen; ++index) {
    const iovec& piece = message.msg_iov[index];
    operation.pieces.emplace_back(static_cast<std::byte*>(piece.iov_base), piece.iov_len);
  }
  operation.segment_size = segment_size_of(message);
}

// ---- what can move, and a step of it

bool SimKernel::can_move(const Operation& operation) const {
  if (operation.doomed) return true;
  const File& file = *operation.file;
  switch (operation.request.opcode) {
    case IORING_OP_RECV:
      return file.stream == nullptr || file.stream->can_recv(file.side);
    case IORING_OP_RECVMSG:
      return file.datagrams == nullptr || !file.datagrams->queue.empty() || file.datagrams->error != 0;
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
      if (file.datagrams != nullptr) return datagrams_.can_send(file.datagrams->port);
      return file.stream == nullptr || file.stream->can_send(file.side);
    case IORING_OP_ACCEPT:
      return file.kind != File::Kind::listener || file.shut_down || !file.backlog.empty();
    case IORING_OP_CONNECT:
      return remote_at(operation.target) != Remote::silent;
    default:
      return file.kind == File::Kind::signals ? signals_ > 0 : file.counter > 0;
  }
}

std::vector<Operation*> SimKernel::ready() {
  std::vector<Operation*> found;
  for (const auto& operation : operations_) {
    if (can_move(*operation)) found.push_back(operation.get());
  }
  return found;
}

void SimKernel::attempt(Operation& operation) {
  if (operation.doomed) return end_doomed(operation);
  switch (operation.request.opcode) {
    case IORING_OP_RECV:
      return attempt_receive(operation, &SimKernel::recv_once);
    case IORING_OP_RECVMSG:
      return attempt_receive(operation, &SimKernel::recvmsg_once);
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
      return operation.file->datagrams != nullptr ? attempt_send_datagram(operation)
                                                  : attempt_send(operation);
    case IORING_OP_ACCEPT:
      return attempt_accept(operation);
    case IORING_OP_CONNECT:
      return attempt_connect(operation);
    case IORING_OP_READ:
      return attempt_read(operation);
    case IORING_OP_CLOSE:
      return attempt_close(operation);
    case IORING_OP_MSG_RING:
      return attempt_message(operation);
    default:
      return attempt_cancel(operation);
  }
}

// ---- end

void SimKernel::end(Operation& operation, std::int32_t res, std::uint32_t flags) {
  const auto here = std::find_if(operations_.begin(), operations_.end(),
                                 [&](const auto& each) { return each.get() == &operation; });
  RINGWIRE_ASSERT(here != operations_.end());
  const std::unique_ptr<Operation> ended = std::move(*here);
  operations_.erase(here);

  const Request& request = ended->request;
  faults_.note_completion(request.opcode, res);
  if (res < 0 || (request.flags & IOSQE_CQE_SKIP_SUCCESS) == 0) {
    rings_.at(ended->ring_fd).queues->post(request.user_data, res, flags);
    ++completions_;
  }
  ended->file = nullptr;  // May be the last holder: now the FIN goes out.
  if (ended->next == nullptr) return;
  if (res < 0 && (request.flags & IOSQE_IO_HARDLINK) == 0) {
    Operation& next = *operations_.emplace_back(std::move(ended->next));
    return end(next, -ECANCELED);
  }
  begin(std::move(ended->next));
}

void SimKernel::go_on(Operation& operation, std::int32_t res, std::uint32_t flags) {
  rings_.at(operation.ring_fd).queues->post(operation.request.user_data, res, flags | IORING_CQE_F_MORE);
  ++completions_;
}

// A multishot that finds the queue full ends with the completion that goes behind it.
bool SimKernel::queue_is_full(const Operation& operation) const {
  return rings_.at(operation.ring_fd).queues->room() == 0;
}

bool SimKernel::end_by_fault(Operation& operation, Fault fault) {
  const std::uint8_t opcode = operation.request.opcode;
  const bool begun = operation.progress > 0;  // A forced errno waits for an operation that answers it.
  const int error = !begun                   ? faults_.strike(fault, opcode)
                    : faults_.happens(fault) ? faults_.draw_error(opcode)
                                             : 0;
  if (error == 0) return false;
  if (operation.file->stream != nullptr) operation.file->stream->hurt = true;
  break_stream(operation, error);
  // A send that has begun answers what it has done.
  end(operation, begun ? static_cast<int>(operation.progress) : error);
  return true;
}

void SimKernel::break_stream(Operation& operation, int error) {
  File& file = *operation.file;
  if (file.stream == nullptr || !breaks_connection(error)) return;
  const bool told = operation.progress == 0;
  file.stream->fail(-error, told ? file.side : Stream::nobody);
}

// ---- each operation

void SimKernel::attempt_accept(Operation& operation) {
  File& file = *operation.file;
  if (file.kind != File::Kind::listener || file.shut_down) return end(operation, -EINVAL);
  do {
    if (const int error = faults_.strike(Fault::accept_fails, IORING_OP_ACCEPT); error != 0) {
      constexpr std::array keeps{EMFILE,    ENFILE, ENOMEM, ENOBUFS, EINTR,    EAGAIN,
                                 ECANCELED, EFAULT, EBADF,  EINVAL,  ENOTSOCK, EOPNOTSUPP};
      if (std::find(keeps.begin(), keeps.end(), -error) == keeps.end()) {
        file.backlog.front()->hurt = true;
        file.backlog.front()->close(1, true);  // The error was this connection's.
        file.backlog.pop_front();
      }
      return end(operation, error);
    }
    if (!files_.has_room()) {
      faults_.count_error(IORING_OP_ACCEPT, -EMFILE);
      return end(operation, -EMFILE);
    }
    auto accepted = std::make_shared<File>(File::Kind::stream);
    accepted->stream = std::move(file.backlog.front());
    file.backlog.pop_front();
    const int fd = files_.add(std::move(accepted));
    if (!is_multishot(operation) || queue_is_full(operation) || faults_.happens(Fault::accept_ends)) {
      return end(operation, fd);
    }
    go_on(operation, fd, 0);
  } while (!file.backlog.empty() && faults_.happens(Fault::burst));
}

void SimKernel::attempt_connect(Operation& operation) {
  if (end_by_fault(operation, Fault::connect_fails)) return;
  File& file = *operation.file;
  if (remote_at(operation.target) == Remote::refuses) return end(operation, -ECONNREFUSED);

  file.kind = File::Kind::stream;
  file.stream = std::make_shared<Stream>(stream_capacity_);
  file.side = 0;
  const bool is_unix = operation.target.storage.ss_family == AF_UNIX;
  file.stream->names = {is_unix ? unix_name({}) : loopback_name(next_port_++), operation.target};
  connected_.push_back(file.stream);
  end(operation, 0);
}

void SimKernel::attempt_receive(Operation& operation, bool (SimKernel::*once)(Operation&)) {
  unsigned count = 0;
  while ((this->*once)(operation) && can_move(operation) && count < burst_max &&
         faults_.happens(Fault::burst)) {
    ++count;
  }
}

bool SimKernel::ends_empty(Operation& operation) {
  if (!faults_.happens(Fault::recv_ends_empty)) return false;
  constexpr std::array errors{-EINTR, -EAGAIN, -ECANCELED};
  end(operation, errors[choices_.draw(errors.size())]);
  return true;
}

bool SimKernel::starves(Operation& operation) {
  const Request& request = operation.request;
  const bool has_buffer = rings_.at(operation.ring_fd).queues->buffers_count(request.buf_group) > 0;
  if (has_buffer && !faults_.happens(Fault::starved)) return false;
  faults_.count_error(request.opcode, -ENOBUFS);
  end(operation, -ENOBUFS);
  return true;
}

// One buffer's worth; true when the operation goes on.
bool SimKernel::recv_once(Operation& operation) {
  const File& file = *operation.file;
  if (file.stream == nullptr) return end(operation, -ENOTCONN), false;
  if (end_by_fault(operation, Fault::recv_fails) || ends_empty(operation)) return false;
  if (file.stream->arrived(file.side) == 0) {  // FIN or an error: no buffer comes with it.
    std::byte nothing{};
    return end(operation, file.stream->recv(file.side, {&nothing, 1})), false;
  }
  if (starves(operation)) return false;

  const SoftBuffer buffer = *rings_.at(operation.ring_fd).queues->take_buffer(operation.request.buf_group);
  std::size_t size = std::min<std::size_t>(buffer.size, file.stream->arrived(file.side));
  if (size > 1 && faults_.happens(Fault::short_recv))
    size = 1 + choices_.draw_size(static_cast<std::uint32_t>(size - 1));
  std::uint32_t& credit = operation.request.file_index;  // `optlen`: bytes it may bring; 0 = no bound.
  if (credit != 0) size = std::min<std::size_t>(size, credit);
  const int result = file.stream->recv(file.side, {buffer.memory, size});
  const bool spent = credit != 0 && result > 0 && (credit -= static_cast<std::uint32_t>(result)) == 0;
  const bool ends =
      spent || !is_multishot(operation) || queue_is_full(operation) || faults_.happens(Fault::recv_ends);
  if (ends) return end(operation, result, buffer.cqe_flags()), false;
  go_on(operation, result, buffer.cqe_flags());
  return true;
}

void SimKernel::attempt_send(Operation& operation) {
  const File& file = *operation.file;
  if (file.stream == nullptr) return end(operation, -ENOTCONN);
  if (end_by_fault(operation, Fault::send_fails)) return;

  std::size_t skip = operation.progress;
  for (const std::span<std::byte> piece : operation.pieces) {
    if (skip >= piece.size()) {
      skip -= piece.size();
      continue;
    }
    std::span<const std::byte> rest = piece.subspan(std::exchange(skip, 0));
    while (!rest.empty()) {
      const int result = file.stream->send(file.side, rest);
      if (result == -EAGAIN) {
        const bool in_full = (operation.request.flags_word & MSG_WAITALL) != 0;
        if (operation.progress > 0 && (!in_full || faults_.happens(Fault::short_send))) {
          return end(operation, static_cast<int>(operation.progress));
        }
        return;
      }
      if (result < 0)
        return end(operation, operation.progress > 0 ? static_cast<int>(operation.progress) : result);
      operation.progress += static_cast<std::size_t>(result);
      rest = rest.subspan(static_cast<std::size_t>(result));
    }
  }
  end(operation, static_cast<int>(operation.progress));
}

void SimKernel::attempt_read(Operation& operation) {
  if (end_by_fault(operation, Fault::read_fails)) return;
  File& file = *operation.file;
  std::memset(pointer<void>(operation.request.addr), 0, operation.request.len);
  if (file.kind == File::Kind::signals) {
    --signals_;
  } else {
    std::memcpy(pointer<void>(operation.request.addr), &file.counter, sizeof(file.counter));
    file.counter = 0;
  }
  end(operation, static_cast<int>(operation.request.len));
}

void SimKernel::attempt_close(Operation& operation) {
  const int fd = operation.request.fd;
  if (files_.find(fd) == nullptr) return end(operation, -EBADF);
  const int error = faults_.strike(Fault::close_fails, IORING_OP_CLOSE);
  if (error != -ECANCELED) files_.close(fd);
  end(operation, error);
}

void SimKernel::attempt_message(Operation& operation) {
  if (const int error = faults_.strike(Fault::message_refused, IORING_OP_MSG_RING); error != 0) {
    return end(operation, error);
  }
  const auto target = rings_.find(operation.request.fd);
  if (target == rings_.end()) return end(operation, -EBADFD);
  target->second.queues->post(operation.request.off, static_cast<std::int32_t>(operation.request.len));
  ++completions_;
  end(operation, 0);
}

}  // namespace ringwire::kernel::sim
