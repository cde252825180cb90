// What a ring under lockdown takes: the requests of prep.hpp, their flags, and the registrations that come
// after the ring was enabled. Anything else is answered EACCES, whoever asks.
//
// Invariant: the first two lists name what prep.hpp writes, no more and no less (tests/uring/allowed_test.cpp
// reads both files).
#pragma once

#include <liburing.h>

#include <array>
#include <cstdint>

namespace ringwire::uring {

/// Which requests a ring takes: all the kernel knows, or only those listed here.
enum class Requests : std::uint8_t { any, ours };

/// Opcodes of SQEs.
inline constexpr std::array<std::uint8_t, 10> allowed_opcodes{
    IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE,   IORING_OP_CONNECT, IORING_OP_MSG_RING,
    IORING_OP_READ,   IORING_OP_RECV,         IORING_OP_RECVMSG, IORING_OP_SEND,    IORING_OP_SENDMSG,
};

/// Flags of SQEs, any of them together.
inline constexpr std::uint8_t allowed_flags = IOSQE_BUFFER_SELECT | IOSQE_IO_HARDLINK;

/// Registrations: the pool's buffers, and, at the end, taking the ring's own descriptor out of the thread's
/// table (without which the descriptor would stay there as long as the thread).
inline constexpr std::array<std::uint8_t, 2> allowed_registrations{
    IORING_REGISTER_PBUF_RING,
    IORING_UNREGISTER_RING_FDS,
};

}  // namespace ringwire::uring
