// Checks that stay in every build: a bug stops the process with its values on standard error.
//
// `RINGWIRE_ASSERT` is for our own promises, `RINGWIRE_REQUIRE` for those of the caller of the public face.
// One condition each. The failure path is out of line and formats only when it runs, so a check costs one
// branch.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <variant>

namespace ringwire::base {

/// A value as a failed check prints it.
using CheckValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, const void*>;

/// Whose promise was broken.
enum class Blame : std::uint8_t { ours, callers };

/// Where a check stands, and what it says.
struct Check {
  /// Whose promise it is.
  Blame blame;
  /// The condition's source text.
  const char* condition;
  /// Source file.
  const char* file;
  /// Line in it.
  int line;
  /// Enclosing function.
  const char* function;
};

/// Reports the broken check on standard error and aborts. `format` is a fmt string for `values`.
[[noreturn, gnu::cold, gnu::noinline]] void report_check(const Check& check, std::string_view format,
                                                         std::initializer_list<CheckValue> values) noexcept;

/// What this thread is doing, printed behind the report of a check that fails; nullptr = nothing special.
/// Answers what was noted before. The text must outlive the note.
const char* note_checks(const char* text) noexcept;

/// Reduces a number, enum, text or pointer to what `report_check` prints.
template <typename T>
CheckValue check_value(const T& value) noexcept {
  if constexpr (std::is_enum_v<T>) {
    return check_value(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    return CheckValue{std::in_place_type<bool>, value};
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    return CheckValue{std::in_place_type<std::int64_t>, value};
  } else if constexpr (std::is_integral_v<T>) {
    return CheckValue{std::in_place_type<std::uint64_t>, value};
  } else if constexpr (std::is_floating_point_v<T>) {
    return CheckValue{std::in_place_type<double>, static_cast<double>(value)};
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return CheckValue{std::in_place_type<std::string_view>, value};
  } else {
    return CheckValue{std::in_place_type<const void*>, value};
  }
}

/// Out-of-line end of the macros below.
template <typename... Values>
[[noreturn, gnu::cold, gnu::noinline]] void check_failed(const Check& check, std::string_view format = {},
                                                         const Values&... values) noexcept {
  report_check(check, format, std::initializer_list<CheckValue>{check_value(values)...});
}

}  // namespace ringwire::base

#define RINGWIRE_CHECK(whose, condition, ...)                                                         \
  (static_cast<bool>(condition) ? static_cast<void>(0)                                                \
                                : ::ringwire::base::check_failed(::ringwire::base::Check{             \
                                      ::ringwire::base::Blame::whose, #condition, __FILE__, __LINE__, \
                                      static_cast<const char*>(__func__)} __VA_OPT__(, ) __VA_ARGS__))

/// Aborts unless our own promise holds.
///
/// Example: `RINGWIRE_ASSERT(size <= room, "{} bytes into {}", size, room);`
#define RINGWIRE_ASSERT(...) RINGWIRE_CHECK(ours, __VA_ARGS__)

/// Aborts unless the caller of the public face kept theirs; the message says that it is the caller's mistake.
#define RINGWIRE_REQUIRE(...) RINGWIRE_CHECK(callers, __VA_ARGS__)
