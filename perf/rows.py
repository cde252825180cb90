"""What ./dev bench measures: the rows, each a kind of load, and the servers that take part.

Leaves to others: running (bench.py), judging disturbance (machine.py), printing (report.py).
"""
import dataclasses

from measure import BUILD


@dataclasses.dataclass
class Contender:
    """A server that can be measured."""
    name: str
    command: list          # The program of ours first, by name; of others a command line.
    threads: str = "--threads"
    environment: dict = dataclasses.field(default_factory=dict)
    websocket: bool = False
    ours: bool = True      # Prints where it listens; others are given {port} or {unix}.

    def built(self):
        """Is it there? Libraries that are missing leave their peers out."""
        return not self.ours or (BUILD / "perf" / self.command[0]).exists()


@dataclasses.dataclass
class Row:
    """One kind of load."""
    name: str
    title: str
    load: dict
    kind: str = "tcp"      # Or unix, websocket.
    threads: int = 1
    half: bool = False     # An open loop at half of what plain epoll reaches in a closed one.


EPOLL_KERNEL = {"RINGWIRE_KERNEL": "epoll"}
CONTENDERS = [
    Contender("ringwire", ["ringwire_echo"], "--loops"),
    Contender("ringwire-epoll", ["ringwire_echo"], "--loops", EPOLL_KERNEL),
    Contender("uring", ["uring_echo"]),
    Contender("epoll", ["epoll_echo"]),
    Contender("asio", ["asio_echo"]),
    Contender("asio-uring", ["asio_uring_echo"]),
    Contender("libuv", ["libuv_echo"]),
    Contender("libevent", ["libevent_echo"]),
    Contender("ringwire", ["ringwire_websocket"], "--loops", websocket=True),
    Contender("ringwire-epoll", ["ringwire_websocket"], "--loops", EPOLL_KERNEL, websocket=True),
    Contender("beast", ["beast_echo"], websocket=True),
]
# Whom the others are compared with, round by round.
BASES = ("uring", "epoll", "beast")

ROWS = [
    Row("tcp-64", "TCP, 64 B × 64 connections", {"connections": 64, "size": 64}),
    Row("tcp-64-deep", "TCP, 64 B × 64 connections, 16 in flight on each",
        {"connections": 64, "size": 64, "depth": 16}),
    Row("tcp-64-many", "TCP, 64 B × 1,000 connections", {"connections": 1000, "size": 64}),
    Row("tcp-16k", "TCP, 16 KiB × 32 connections", {"connections": 32, "size": 16 << 10}),
    Row("tcp-stream", "TCP, streaming 256 KiB × 4 connections, 4 in flight on each",
        {"connections": 4, "size": 256 << 10, "depth": 4}),
    Row("unix-64", "unix socket, 64 B × 64 connections", {"connections": 64, "size": 64}, kind="unix"),
    Row("ping-pong", "TCP, 64 B, one connection", {"connections": 1, "size": 64}),
    Row("ws-64", "websocket, 64 B × 64 connections", {"connections": 64, "size": 64}, kind="websocket"),
    Row("ws-64-deep", "websocket, 64 B × 64 connections, 16 in flight on each",
        {"connections": 64, "size": 64, "depth": 16}, kind="websocket"),
    Row("churn", "TCP, connect–echo–close, 64 at a time, through the balancer with 2 loops (others: 2 threads)",
        {"connections": 64, "size": 64, "churn": True}, threads=2),
    Row("half-load", "TCP, 64 B × 64 connections, open loop at half load", {"connections": 64, "size": 64},
        half=True),
]


def contenders_of(row, peers):
    """Who takes part in a row: what is built, and the user's own where they speak its language."""
    mine = [one for one in CONTENDERS if one.websocket == (row.kind == "websocket") and one.built()]
    place = {"tcp": "{port}", "unix": "{unix}"}.get(row.kind)
    return mine + [peer for peer in peers if place and any(place in word for word in peer.command)]
