// The end of a process that found a bug: one report on standard error, then abort.
//
// It must work when anything may be broken, so a report that cannot be formatted is printed raw.
#include "lib/base/assert.hpp"

#include <fmt/args.h>
#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace ringwire::base {
namespace {

thread_local const char* note = nullptr;

std::string with_values(std::string_view format, std::initializer_list<CheckValue> values) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  for (const CheckValue& value : values) {
    std::visit([&store](const auto& plain) { store.push_back(plain); }, value);
  }
  return fmt::vformat(format, store);
}

}  // namespace

const char* note_checks(const char* text) noexcept {
  return std::exchange(note, text);
}

void report_check(const Check& check, std::string_view format,
                  std::initializer_list<CheckValue> values) noexcept {
  try {
    std::string report = fmt::format("ringwire: {} at {}:{} in {}: `{}` does not hold",
                                     check.blame == Blame::ours ? "bug" : "misuse by the caller", check.file,
                                     check.line, check.function, check.condition);
    if (!format.empty()) report += ": " + with_values(format, values);
    report += '\n';
    if (note != nullptr) report += fmt::format("ringwire: it happened {}\n", note);
    std::fwrite(report.data(), 1, report.size(), stderr);
  } catch (...) {
    std::fputs("ringwire: a check failed, and its report could not be formatted: ", stderr);
    std::fputs(check.condition, stderr);
    std::fputs("\n", stderr);
  }
  std::abort();
}

}  // namespace ringwire::base
