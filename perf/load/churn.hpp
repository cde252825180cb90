// Connect, one message, its echo, close; again and again.
//
// Leaves to others: bytes (connection.hpp). Invariant: at most `connections` are open at a time, and each has
// closed only after its echo was whole. Latency is from connect to the last byte of the echo.
#pragma once

#include "report.hpp"
#include "settings.hpp"

namespace load {

/// Runs and reports; the exit code.
int run_churn(const Settings& settings);

}  // namespace load
