// Everything a handler needs. Boost is not included: see `ringwire/asio.hpp`.
#pragma once

#include <ringwire/address.hpp>
#include <ringwire/bytes.hpp>
#include <ringwire/conn.hpp>
#include <ringwire/conn_ref.hpp>
#include <ringwire/engine.hpp>
#include <ringwire/error.hpp>
#include <ringwire/function.hpp>
#include <ringwire/handler.hpp>
#include <ringwire/log.hpp>
#include <ringwire/loop_ref.hpp>
#include <ringwire/options.hpp>
#include <ringwire/run.hpp>
