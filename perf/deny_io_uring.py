"""Starts a program to which io_uring is forbidden, as Docker's default seccomp profile does it.

usage: deny_io_uring.py ERRNO COMMAND...

The three calls (425 to 427 on every architecture) answer ERRNO from then on. Leaves to others: what the program
makes of it.
"""
import ctypes
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LOAD, JUMP_IF_GREATER_OR_EQUAL, JUMP_IF_GREATER, ANSWER = 0x20, 0x35, 0x25, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000


def deny(error):
    """Installs the filter in this process, and those it becomes or starts."""
    program = b"".join(struct.pack("HBBI", *each) for each in (
        (LOAD, 0, 0, 0),  # The call's number.
        (JUMP_IF_GREATER_OR_EQUAL, 0, 2, 425),
        (JUMP_IF_GREATER, 1, 0, 427),
        (ANSWER, 0, 0, REFUSE | error),
        (ANSWER, 0, 0, ALLOW),
    ))
    code = ctypes.create_string_buffer(program, len(program))
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(filter_), 0, 0) != 0):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    deny(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
