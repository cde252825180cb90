// Numbers of the io_uring interface that liburing 2.3's headers lack, under names of ours.
//
// Source: linux/io_uring.h as of Linux 6.18; docs/kernel.md says from which version each works.
#pragma once

#include <cstdint>

namespace ringwire::uring::abi {

/// io_uring_enter(2): a wait is not counted as waiting for I/O. Linux 6.15.
inline constexpr unsigned enter_no_iowait = 1U << 7;
/// io_uring_params.features: `enter_no_iowait` is understood.
inline constexpr unsigned feature_no_iowait = 1U << 17;

}  // namespace ringwire::uring::abi
