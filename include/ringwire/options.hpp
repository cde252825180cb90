// Every knob, with its default, its limits and the reason for both.
//
// Use designated initialisers, in this order: `run(handler, "tcp://:9000", {.multicore = true, .ticker =
// true})`.
#pragma once

#include <ringwire/kernel_choice.hpp>
#include <ringwire/log.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringwire {

class BalancingPolicy;

/// How the balancer chooses the loop for a new connection.
enum class Balancing : std::uint8_t {
  /// Loop after loop. Source: gnet RoundRobin.
  round_robin,
  /// The loop with the fewest connections, counted when they are assigned, so that a burst cannot pile up;
  /// ties rotate.
  /// Source: gnet LeastConnections, which counts them when they are registered.
  least_connections,
  /// By the client's IP address, without its port: who comes again comes to the same loop, as long as there
  /// are as many. One that cannot be told (a unix socket's) goes by round robin.
  /// Source: gnet SourceAddrHash, which hashes the port, too.
  source_hash,
};

/// What becomes of a write beyond a limit.
enum class OutboundPolicy : std::uint8_t {
  /// It is answered `Written::refused`, and nothing else happens.
  refuse,
  /// The same, and the connection is reset with `Error::outbound_limit`: its peer is too slow, and what waits
  /// for it is given up.
  close,
};

/// Settings of one engine. A plain value; `run` copies it and refuses bad values with
/// `Error::invalid_option`.
struct Options {
  // -- threads

  /// One loop for each CPU this process may use. Off: one loop. Source: gnet Multicore.
  bool multicore = false;
  /// How many loops, whatever `multicore` says; 0 = let `multicore` decide. At most 1024. Source: gnet
  /// NumEventLoop.
  std::size_t loops = 0;
  /// Each loop stays on one CPU (loop i on the i-th allowed one): its buffers stay in that CPU's cache.
  bool pin_loops = true;
  /// How connections are spread over two or more loops. Source: gnet LB.
  Balancing balancing = Balancing::round_robin;
  /// Chooses the loops in place of `balancing` when it is set; must outlive `run`. See
  /// ringwire/balancing.hpp.
  BalancingPolicy* balancing_policy = nullptr;

  /// Threads that run what `Engine::offload` is given; 0 = none, and it is refused. At most 1024. As many as
  /// CPUs are left for work that computes, more for work that waits. None by default: nobody is to have
  /// threads he did not ask for.
  std::size_t workers_count = 0;
  /// Offloaded work that may wait for a worker; more is answered
  /// `std::errc::resource_unavailable_try_again` at once. At least 1. Reason: who waits longer than this has
  /// given up.
  std::size_t offload_max = 1024;

  // -- events

  /// Call `on_tick`. Source: gnet Ticker.
  bool ticker = false;
  /// Where `ticker` is set: call it on every loop, each at its own pace, not only on loop 0. A handler that
  /// serves several loops is then called by several threads at a time.
  bool ticker_per_loop = false;
  /// Call `on_traffic` again in the same lap while the handler takes some of the bytes and leaves some: it
  /// may take one message each time. Off: once for new bytes, as gnet.
  bool redeliver = false;
  /// Remember the peers of udp addresses: the first datagram of one opens a `Session` (`on_session_open`),
  /// which its datagrams carry until it is closed or `session_timeout` has passed. Off: datagrams only.
  bool datagram_sessions = false;
  /// Stop on SIGINT and SIGTERM, as `Engine::stop` does: one that comes while the engine drains hastens it.
  /// The signals are blocked in the caller of `run` and in the loops while it runs.
  bool stop_on_signal = false;

  // -- time (0 = never, unless said otherwise)

  /// Close a connection on which nothing is received or sent for this long. See `Conn::set_idle_timeout`.
  std::chrono::milliseconds idle_timeout{0};
  /// Close one that sends nothing for this long while we receive. See `Conn::set_read_timeout`.
  std::chrono::milliseconds read_timeout{0};
  /// Reset one that takes nothing of what waits for it for this long. See `Conn::set_write_timeout`.
  std::chrono::milliseconds write_timeout{0};
  /// Close one, without loss, this long after it was opened. See `Conn::set_lifetime`.
  std::chrono::milliseconds lifetime{0};
  /// Forget a session when nothing has come from its peer for this long. See `Session::set_timeout`. The
  /// default is how long a NAT must keep what it knows of a peer (RFC 4787, REQ-5).
  std::chrono::milliseconds session_timeout{120'000};
  /// How long a closing connection may take to flush and to answer our FIN before it is reset. Must be at
  /// least 1 ms.
  std::chrono::milliseconds close_timeout{5'000};
  /// How long `Engine::stop` lets connections flush before it resets them. 0 = reset at once.
  std::chrono::milliseconds stop_timeout{1'000};

  // -- bounds

  /// Connections per loop; one more is accepted and reset. 1 to 16,777,216. Reason: memory, about 185 bytes
  /// each when idle, beside what the kernel takes.
  std::size_t connections_max = 1'000'000;
  /// Connections the whole engine accepts, over all loops; more of them wait in the backlog until one has
  /// ended. 0 = no limit. Those that `LoopRef::connect` opens do not count. With a limit accepts are made one
  /// by one, because the kernel cannot be told to stop in the middle of a burst. Reason: to take on no more
  /// than can be served well.
  std::size_t engine_connections_max = 0;
  /// Connections of one IP address over all loops; one more is accepted and reset, and counted in
  /// `Engine::connections_refused`. 0 = no limit. Unix sockets have no such limit. Reason: one client is not
  /// to take the places of all others. Who comes through a proxy has the proxy's address.
  std::size_t connections_per_ip_max = 0;
  /// Received bytes kept for one connection. Beyond it we stop receiving, so TCP slows the peer down, until
  /// the handler has taken some. A frame larger than this can never be peeked whole. 0 =
  /// unlimited.
  std::size_t inbound_limit = 4 << 20;
  /// Waiting bytes above which `write` answers `above_high_mark`.
  std::size_t outbound_high_mark = 1 << 20;
  /// Waiting bytes at which `on_writable` follows. At most `outbound_high_mark`.
  std::size_t outbound_low_mark = 256 << 10;
  /// Waiting bytes above which `write` is refused. At least `outbound_high_mark`; 0 = unlimited.
  std::size_t outbound_limit = 64 << 20;
  /// What becomes of a write that does not fit `outbound_limit` or `send_budget`.
  OutboundPolicy outbound_policy = OutboundPolicy::refuse;
  /// Bytes of memory that may wait to be sent in all connections of all loops; 0 = unlimited. One connection
  /// gets at most an eighth of what is free of the first half (a sixteenth of the budget when nothing waits).
  /// The second half is for connections in which at most a 2,048th of the budget waits (512 KiB of the
  /// default): a thousand slow readers, whatever they have taken, leave room for those who read. A write it
  /// refuses is followed by `on_writable` only if something of the connection waits. Loops count for
  /// themselves and look at each other once a lap: what waits can be more by 64 KiB and one chunk (64 KiB),
  /// and by what others wrote in a lap, for each loop.
  std::size_t send_budget = 1 << 30;
  /// Bytes of datagrams that may wait to be sent, per socket, each counted with 256 more for its envelope;
  /// the next is answered ENOBUFS. At least 512; what is longer than this can never be sent. 0 = unlimited,
  /// but a loop keeps 65,536 datagrams at most.
  std::size_t datagram_outbound_limit = 4 << 20;
  /// Sessions per loop; the datagram of one more peer is dropped, and counted. 1 to 16,777,216. Reason: who
  /// forges sender addresses opens a session with each; memory, about 270 bytes each.
  std::size_t sessions_max = 65'536;
  /// Posts that may wait for one loop, at least 1; more get `std::errc::resource_unavailable_try_again`.
  std::size_t mailbox_max = 1 << 20;
  /// Scheduled tasks that may wait for one loop (`LoopRef::schedule`); more are refused with
  /// `std::errc::resource_unavailable_try_again`. 0 to 16,777,216. Reason: memory, about 176 bytes each.
  std::size_t timers_max = 1 << 20;

  // -- sockets

  /// Connections the kernel may hold before we accept them; cut to net.core.somaxconn. Source: listen(2).
  int backlog = 4096;
  /// Each loop has a listening socket of its own on the same port (SO_REUSEPORT) and accepts for itself: no
  /// balancer, the kernel spreads connections by a hash of both addresses and ports. Spreads worse than a
  /// balancer, and a loop that is busy lets its clients wait; worth it only where accepting itself is the
  /// work. Other processes of the same user may listen there, too, if all say so: a second engine is then no
  /// `address_in_use`, as it is beside one without this option. Unix sockets know no such thing: the loops
  /// share one. Source: socket(7), gnet ReusePort.
  bool reuse_port = false;
  /// TCP_NODELAY on every connection. Default on, as in gnet: we already gather a lap's writes.
  bool tcp_no_delay = true;
  /// Idle time before keep-alive probes start (TCP_KEEPIDLE); 0 = no probes. Whole seconds, at most 32,767.
  /// Source: tcp(7), gnet TCPKeepAlive.
  std::chrono::seconds tcp_keepalive{0};
  /// Time between probes (TCP_KEEPINTVL), at most 32,767 s; 0 = a fifth of `tcp_keepalive`. Source: gnet
  /// TCPKeepInterval.
  std::chrono::seconds tcp_keepalive_interval{0};
  /// Probes without an answer that end a connection (TCP_KEEPCNT), at most 127; 0 = the kernel's choice.
  /// Source: gnet TCPKeepCount.
  int tcp_keepalive_count = 0;
  /// How long sent bytes may wait for their acknowledgement before the connection is reset with ETIMEDOUT
  /// (TCP_USER_TIMEOUT); 0 = the kernel's choice, about a quarter of an hour. Source: tcp(7).
  std::chrono::milliseconds tcp_user_timeout{0};
  /// Let the kernel keep a new client to itself until its first bytes have come, or this long
  /// (TCP_DEFER_ACCEPT); 0 = off. Only where the client speaks first. Source: tcp(7).
  std::chrono::seconds tcp_defer_accept{0};
  /// Clients that may send bytes with their SYN before it is confirmed (TCP_FASTOPEN); 0 = off. Needs bit 2
  /// of net.ipv4.tcp_fastopen. Source: tcp(7).
  int tcp_fast_open = 0;
  /// SO_RCVBUF of every socket; 0 = the kernel's choice, which grows with the connection. Source: socket(7),
  /// gnet SocketRecvBuffer.
  std::size_t socket_recv_buffer_size = 0;
  /// SO_SNDBUF of every socket; 0 = the kernel's choice. Source: socket(7), gnet SocketSendBuffer.
  std::size_t socket_send_buffer_size = 0;
  /// The network device ("eth0") that sockets are bound to; empty = all. Not unix sockets. Source: socket(7),
  /// SO_BINDTODEVICE, gnet BindToDevice.
  std::string_view bind_to_device = {};
  /// The index of the device on which multicast groups are joined, and sent to from their sockets; 0 = the
  /// group's zone, or the kernel's choice. Source: if_nametoindex(3), gnet MulticastInterfaceIndex.
  unsigned multicast_interface = 0;

  // -- ring

  /// What answers the rings; RINGWIRE_KERNEL (automatic, uring, epoll) overrides it. See docs/kernel.md.
  KernelChoice kernel = KernelChoice::automatic;
  /// Receive buffers of one loop; a power of two, 1 to 32,768. With the size below 4 MiB, which cache holds.
  std::size_t recv_buffers_count = 1024;
  /// Bytes of one receive buffer, 64 to 1 MiB.
  std::size_t recv_buffer_size = 4096;
  /// Large receive buffers of one loop: who fills small ones gets these next. A power of two up to 32,768, or
  /// 0: none. Only where a receive can be bounded (`recv_credit` in docs/kernel.md), and if larger than
  /// `recv_buffer_size`. 4 MiB; what is never used takes no memory.
  std::size_t large_recv_buffers_count = 64;
  /// Bytes of one of them, 64 to 1 MiB.
  std::size_t large_recv_buffer_size = 64 << 10;
  /// Buffers for received datagrams, of one loop; a power of two, 1 to 32,768. Only an engine with a udp
  /// address has them. What finds none free waits in the socket.
  std::size_t datagram_buffers_count = 256;
  /// The longest datagram that is received whole, 1 to 65,535 bytes; longer ones come truncated, and say so.
  /// The default is more than Ethernet carries in one piece.
  std::size_t datagram_size_max = 2048;
  /// Datagrams of one length to one peer that may leave in one request (UDP_SEGMENT): 1 to 64; 1 = each by
  /// itself. Reason: most of what a small datagram costs is the request; 64 is what every kernel takes.
  std::size_t datagram_train_max = 64;
  /// Take those that the kernel has joined in one receive (UDP_GRO); each is told by itself. The buffers have
  /// room for 64 KiB each then, of which only what is written takes memory.
  bool datagram_gro = true;
  /// Submission queue entries, 4 to 32,768; a power of two. A lap that needs more submits in between.
  std::size_t sq_entries = 1024;
  /// Completion queue entries, 8 to 65,536; a power of two, at least twice `sq_entries`.
  std::size_t cq_entries = 8192;
  /// Optional kernel features not to use: names and commas, or "all". RINGWIRE_MASK adds to it.
  std::string_view mask = {};
  /// Leave nothing of io_uring to whoever takes a loop over: each ring takes only the requests ringwire makes
  /// (everything else is answered EACCES), and the engine's own threads cannot set up another (EPERM; they,
  /// and what handlers start from them, also gain no privileges by exec). Other threads are not touched.
  /// Where the kernel cannot do all of it, `run` fails with `Error::lockdown_failed`. The environment
  /// variable RINGWIRE_LOCKDOWN=1 turns it on, and none turns it off. See docs/kernel.md. Source:
  /// io_uring_register(2), IORING_REGISTER_RESTRICTIONS; seccomp(2).
  bool lockdown = false;

  // -- log

  /// The least grave lines to write; RINGWIRE_LOG (debug, info, warn, error, off) overrides it.
  LogLevel log_level = LogLevel::info;
  /// Where lines go; nullptr = standard error.
  LogSink log_sink = nullptr;
};

}  // namespace ringwire
