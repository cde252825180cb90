// Everything a handler needs. Not included: Boost, see `ringwire/asio.hpp`; the simulator for tests, see
// `ringwire/sim.hpp`.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/balancing.hpp>
#include <ringwire/buffer.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/client.hpp>
#include <ringwire/conn.hpp>
#include <ringwire/conn_ref.hpp>
#include <ringwire/connect.hpp>
#include <ringwire/context.hpp>
#include <ringwire/datagram.hpp>
#include <ringwire/engine.hpp>
#include <ringwire/error.hpp>
#include <ringwire/function.hpp>
#include <ringwire/handler.hpp>
#include <ringwire/kernel_choice.hpp>
#include <ringwire/log.hpp>
#include <ringwire/loop_ref.hpp>
#include <ringwire/metrics.hpp>
#include <ringwire/options.hpp>
#include <ringwire/run.hpp>
#include <ringwire/session.hpp>
#include <ringwire/timer_ref.hpp>
