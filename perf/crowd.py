"""Many clients that do nothing: how many are possible here, connecting them, and a word to each.

Leaves to others: what is measured while they are there (perf/evidence/idle-memory, idle-cost).
"""
import resource
import socket
import sys

from measure import allow_descriptors


def possible(wanted):
    """How many connections the limit on descriptors allows here and in the server, at most `wanted`."""
    try:
        allow_descriptors(wanted + 200)
    except (ValueError, OSError):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        allow_descriptors(hard)
        if hard < 5_000:
            sys.exit(f"only {hard} descriptors are allowed here")
        return hard - 200
    return wanted


def connect(port, index):
    """From one of several addresses, each of which has ports of its own."""
    return socket.create_connection(("127.0.0.1", port), source_address=(f"127.0.0.{2 + index % 8}", 0))


def exchange(clients):
    """How many got their word back."""
    for client in clients:
        client.sendall(b"hello")
    return sum(client.recv(16) == b"hello" for client in clients)
