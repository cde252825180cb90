// A hand-written io_uring echo loop: the limit ringwire is measured against.
//
// No connection objects to speak of, no limits, no timers, no errors told apart: a multishot accept, a
// multishot recv into one ring of provided buffers, and a send straight from the buffer the bytes came in. A
// connection has one send under way; what came meanwhile goes out together in the next. Invariant: a buffer
// goes home when the send of its bytes has completed.
#include "peer.hpp"

#include <liburing.h>
#include <sys/mman.h>

#include <array>
#include <memory>
#include <utility>

namespace {

constexpr unsigned sq_entries = 4096;
constexpr unsigned cq_entries = 16384;
constexpr unsigned buffer_count = 1024;
constexpr std::size_t buffer_size = 16 << 10;
constexpr std::size_t pieces_max = 64;  // Buffers one send takes along.
constexpr std::uint16_t none = 0xFFFF;

enum class Op : std::uint32_t { accept, recv, send, close };

// Several buffers in one send; it must stay until the send completed.
struct Gather {
  msghdr message{};
  std::array<iovec, pieces_max> pieces{};
};

struct Connection {
  std::uint16_t first = none;  // Received and not sent: a list through Server::next_.
  std::uint16_t last = none;
  std::uint16_t sending = 0;  // How many of the first are under way.
  bool receiving = false;
  bool ended = false;
  std::unique_ptr<Gather> gather;
};

class Server {
 public:
  explicit Server(peer::Listener listener) : listener_(listener) {
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = cq_entries;
    const int error = io_uring_queue_init_params(sq_entries, &ring_, &params);
    if (error != 0) peer::fail("io_uring", -error);
    io_uring_register_ring_fd(&ring_);
    make_buffers();
    arm_accept();
  }

  void run() {
    while (true) {
      const int error = io_uring_submit_and_wait(&ring_, 1);
      if (error < 0 && error != -EINTR) peer::fail("io_uring_enter", -error);
      unsigned head = 0;
      unsigned count = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(&ring_, head, cqe) {
        dispatch(*cqe);
        ++count;
      }
      io_uring_cq_advance(&ring_, count);
      if (returned_ != 0) io_uring_buf_ring_advance(buffers_, std::exchange(returned_, 0));
      if (!starved_.empty() && buffers_out_ < static_cast<int>(buffer_count)) {
        for (const int fd : std::exchange(starved_, {})) arm_recv(fd);
      }
    }
  }

 private:
  void make_buffers() {
    const std::size_t ring_size = buffer_count * sizeof(io_uring_buf);
    const std::size_t size = ring_size + buffer_count * buffer_size;
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (memory == MAP_FAILED) peer::fail("mmap");
    buffers_ = static_cast<io_uring_buf_ring*>(memory);
    bytes_ = static_cast<char*>(memory) + ring_size;
    io_uring_buf_reg registration{};
    registration.ring_addr = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(memory));
    registration.ring_entries = buffer_count;
    const int error = io_uring_register_buf_ring(&ring_, &registration, 0);
    if (error != 0) peer::fail("io_uring_register_buf_ring", -error);
    io_uring_buf_ring_init(buffers_);
    buffers_out_ = buffer_count;
    for (unsigned bid = 0; bid < buffer_count; ++bid) give_back(static_cast<std::uint16_t>(bid));
    io_uring_buf_ring_advance(buffers_, std::exchange(returned_, 0));
  }

  void give_back(std::uint16_t bid) {
    io_uring_buf_ring_add(buffers_, bytes_ + bid * buffer_size, buffer_size, bid,
                          io_uring_buf_ring_mask(buffer_count), returned_++);
    --buffers_out_;
  }

  io_uring_sqe* next_sqe(Op op, int fd) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
      io_uring_submit(&ring_);
      sqe = io_uring_get_sqe(&ring_);
      if (sqe == nullptr) peer::fail("io_uring_submit", EBUSY);
    }
    // The prep functions of some versions of liburing clear user_data, those of others do not.
    tag_ = static_cast<std::uint64_t>(op) << 32 | static_cast<std::uint32_t>(fd);
    return sqe;
  }
  void tag(io_uring_sqe* sqe) const { sqe->user_data = tag_; }

  void arm_accept() {
    io_uring_sqe* const sqe = next_sqe(Op::accept, listener_.fd);
    io_uring_prep_multishot_accept(sqe, listener_.fd, nullptr, nullptr, SOCK_CLOEXEC);
    tag(sqe);
  }

  void arm_recv(int fd) {
    io_uring_sqe* const sqe = next_sqe(Op::recv, fd);
    io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    tag(sqe);
    at(fd).receiving = true;
  }

  // All that waits, up to a bound, in one send, in full.
  void arm_send(int fd, Connection& one) {
    io_uring_sqe* const sqe = next_sqe(Op::send, fd);
    if (one.first == one.last) {
      one.sending = 1;
      io_uring_prep_send(sqe, fd, bytes_ + one.first * buffer_size, size_[one.first],
                         MSG_WAITALL | MSG_NOSIGNAL);
    } else {
      if (!one.gather) one.gather = std::make_unique<Gather>();
      one.sending = 0;
      for (std::uint16_t bid = one.first; bid != none && one.sending < pieces_max; bid = next_[bid]) {
        one.gather->pieces[one.sending++] = {bytes_ + bid * buffer_size, size_[bid]};
      }
      one.gather->message.msg_iov = one.gather->pieces.data();
      one.gather->message.msg_iovlen = one.sending;
      io_uring_prep_sendmsg(sqe, fd, &one.gather->message, MSG_WAITALL | MSG_NOSIGNAL);
    }
    tag(sqe);
  }

  void dispatch(const io_uring_cqe& cqe) {
    const int fd = static_cast<int>(static_cast<std::uint32_t>(cqe.user_data));
    switch (static_cast<Op>(cqe.user_data >> 32)) {
      case Op::accept:
        return on_accept(cqe);
      case Op::recv:
        return on_recv(fd, cqe);
      case Op::send:
        return on_send(fd, cqe.res);
      case Op::close:
        return;
    }
  }

  void on_accept(const io_uring_cqe& cqe) {
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) arm_accept();
    if (cqe.res < 0) return;
    if (listener_.is_tcp) peer::set_no_delay(cqe.res);
    const auto index = static_cast<std::size_t>(cqe.res);
    if (index >= connections_.size()) connections_.resize(index * 2 + 64);
    Connection& one = at(cqe.res);
    one.ended = false;
    arm_recv(cqe.res);
  }

  void on_recv(int fd, const io_uring_cqe& cqe) {
    Connection& one = at(fd);
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) one.receiving = false;
    if (cqe.res > 0) {
      const auto bid = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
      ++buffers_out_;
      size_[bid] = static_cast<std::uint32_t>(cqe.res);
      next_[bid] = none;
      (one.first == none ? one.first : next_[one.last]) = bid;
      one.last = bid;
      if (one.sending == 0) arm_send(fd, one);
      if (!one.receiving && !one.ended) arm_recv(fd);
    } else if (cqe.res == -ENOBUFS) {
      starved_.push_back(fd);
    } else {
      one.ended = true;
      close_if_done(fd, one);
    }
  }

  void on_send(int fd, int result) {
    Connection& one = at(fd);
    if (result < 0) one.ended = true;
    // After an error the rest has nowhere to go.
    for (std::uint16_t left = result < 0 ? none : one.sending; left > 0 && one.first != none; --left) {
      const std::uint16_t bid = one.first;
      one.first = next_[bid];
      give_back(bid);
    }
    if (one.first == none) one.last = none;
    one.sending = 0;
    if (one.first != none) return arm_send(fd, one);
    if (one.ended && one.receiving) ::shutdown(fd, SHUT_RDWR);  // Ends the recv.
    close_if_done(fd, one);
  }

  void close_if_done(int fd, const Connection& one) {
    if (!one.ended || one.receiving || one.sending != 0) return;
    io_uring_sqe* const sqe = next_sqe(Op::close, fd);
    io_uring_prep_close(sqe, fd);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    tag(sqe);
    if (++left_ == listener_.clients) std::exit(0);  // Whoever counts instructions wants an end.
  }

  Connection& at(int fd) { return connections_[static_cast<std::size_t>(fd)]; }

  peer::Listener listener_;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  char* bytes_ = nullptr;
  int returned_ = 0;     // Given back in this lap, and not shown to the kernel yet.
  int buffers_out_ = 0;  // Received into, and not given back.
  std::uint64_t tag_ = 0;
  std::size_t left_ = 0;  // Clients that have come and gone.
  std::array<std::uint32_t, buffer_count> size_{};
  std::array<std::uint16_t, buffer_count> next_{};
  std::vector<Connection> connections_;  // By descriptor.
  std::vector<int> starved_;             // Their recv ended because no buffer was free.
};

}  // namespace

int main(int count, char** words) {
  return peer::run(peer::parse(count, words, true),
                   [](peer::Listener listener) { std::make_unique<Server>(listener)->run(); });
}
