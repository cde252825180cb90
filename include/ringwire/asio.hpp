// Boost.Asio and Boost.Beast on ringwire: an executor, a stream, and the handler that makes streams.
//
// Leaves to others: every protocol. The only public header that includes Boost (1.81 or later); nothing
// includes it, so include it yourself and link `ringwire_asio_dep`.
#pragma once

#include <ringwire/asio/executor.hpp>
#include <ringwire/asio/stream.hpp>
#include <ringwire/asio/stream_handler.hpp>
