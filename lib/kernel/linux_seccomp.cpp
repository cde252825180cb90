// The filter that keeps a thread from opening rings.
//
// Reads the number of each system call and nothing else, so the kernel knows beforehand which calls pass, and
// does not run it for them (Linux 5.11).
#include "lib/kernel/linux.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace ringwire::kernel {
namespace {

// x86-64 has a second table of the same calls, x32, whose numbers carry this bit. With it taken away the
// number is 425 in every table of the machine, i386's too, so the filter need not ask which one is meant.
constexpr unsigned x32_bit = 0x4000'0000;

}  // namespace

int Linux::forbid_new_rings() noexcept {
  std::array<sock_filter, 5> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~x32_bit),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{program.size(), program.data()};

  // Who may gain no privilege by exec may filter itself without having any. Wanted anyway: a program that
  // this thread starts inherits the filter, and a privileged one would not expect it.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  if (::syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) return -errno;
  return 0;
}

}  // namespace ringwire::kernel
