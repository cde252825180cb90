// A connection being opened from our side: what was asked for, and how far it is.
//
// Owned by its loop's table; its socket belongs to it until it is a connection or closed. Leaves to others:
// the steps (dial.cpp).
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/connect.hpp>

#include "lib/kernel/kernel.hpp"
#include "lib/loop/wheel.hpp"
#include "lib/uring/token.hpp"

#include <cstddef>
#include <cstdint>
#include <system_error>
#include <utility>
#include <vector>

namespace ringwire::loop {

/// What somebody asked for.
struct Dial {
  /// Tells the dials of a loop apart; see `Mailbox::next_number`.
  std::uint64_t id = 0;
  /// Tried in this order until one answers. Never empty.
  std::vector<Address> targets;
  /// 0 = as long as the kernel does.
  kernel::Nanoseconds timeout = 0;
  /// May be empty.
  Connected done;
};

/// The same, under way.
struct Dialing {
  /// Without a socket yet. Takes `dial_` over last, when nothing can fail any more.
  Dialing(std::uint32_t slot_, std::uint32_t generation_, Dial&& dial_) noexcept
      : slot{slot_},
        generation{generation_},
        dial{std::move(dial_)},
        timer{TimerOf::dial, slot_, generation_} {}

  std::uint32_t slot;
  std::uint32_t generation;
  Dial dial;
  SlotTimer timer;
  std::size_t next = 0;  // The target to try after this one.
  int fd = -1;
  kernel::SocketName name;        // Where to; the kernel copies it when it takes the request.
  bool armed = false;             // The connect.
  bool cancel_armed = false;      // A cancel was sent for it.
  std::error_code given_up = {};  // Why no further target is tried.
};

}  // namespace ringwire::loop
