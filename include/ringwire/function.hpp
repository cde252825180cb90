// A move-only function: what crosses threads as a task or a completion callback.
//
// Owns the callable. `std::function` would demand that it can be copied, `std::move_only_function` is C++23.
// Up to `inline_size` bytes are kept in place; larger callables cost one allocation.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

namespace ringwire {

template <typename Signature>
class Function;

/// Holds any callable of the given signature, by move.
///
/// Empty when default-constructed, moved from, or made from `nullptr`; calling an empty one is undefined, so
/// test it with `if (f)`. Not thread-safe itself; it may be created on one thread and called on another.
///
/// Example: `ringwire::Function<void()> task = [data = std::move(data)] { use(data); };`
template <typename R, typename... Args>
class Function<R(Args...)> {
 public:
  /// Callables up to this many bytes are stored without an allocation.
  static constexpr std::size_t inline_size = 48;

  Function() noexcept = default;
  Function(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor): reads as "no callback".

  /// Takes over `callable`. Throws only what its move constructor or the allocation throws.
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Function> &&
           std::is_invocable_r_v<R, std::remove_cvref_t<F>&, Args...>)
      Function(
          F&& callable) {  // NOLINT(google-explicit-constructor): a lambda converts, as with std::function.
    using Callable = std::remove_cvref_t<F>;
    if constexpr (fits_inline<Callable>) {
      ::new (static_cast<void*>(storage_)) Callable(std::forward<F>(callable));
      verbs_ = &inline_verbs<Callable>;
    } else {
      ::new (static_cast<void*>(storage_))
          Callable*(std::make_unique<Callable>(std::forward<F>(callable)).release());
      verbs_ = &heap_verbs<Callable>;
    }
  }

  Function(Function&& other) noexcept { take(other); }
  Function& operator=(Function&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  ~Function() { reset(); }

  /// True when there is something to call.
  explicit operator bool() const noexcept { return verbs_ != nullptr; }

  /// Calls the callable. Throws what it throws.
  R operator()(Args... args) { return verbs_->call(storage_, std::forward<Args>(args)...); }

 private:
  struct Verbs {
    R (*call)(void* storage, Args&&... args);
    void (*move)(void* from, void* to) noexcept;  // Leaves `from` without a live object.
    void (*destroy)(void* storage) noexcept;
  };

  template <typename Callable>
  static constexpr bool fits_inline =
      sizeof(Callable) <= inline_size &&
      alignof(Callable) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<Callable>;

  // What a Function of void holds may answer something; nobody looks.
  template <typename Callable>
  static R invoke(Callable& callable, Args&&... args) {
    if constexpr (std::is_void_v<R>) {
      static_cast<void>(callable(std::forward<Args>(args)...));
    } else {
      return callable(std::forward<Args>(args)...);
    }
  }

  template <typename T>
  static T& in(void* storage) noexcept {
    return *std::launder(static_cast<T*>(storage));
  }

  template <typename Callable>
  static constexpr Verbs inline_verbs{[](void* storage, Args&&... args) -> R {
                                        return invoke(in<Callable>(storage), std::forward<Args>(args)...);
                                      },
                                      [](void* from, void* to) noexcept {
                                        ::new (to) Callable(std::move(in<Callable>(from)));
                                        in<Callable>(from).~Callable();
                                      },
                                      [](void* storage) noexcept { in<Callable>(storage).~Callable(); }};

  template <typename Callable>
  static constexpr Verbs heap_verbs{
      [](void* storage, Args&&... args) -> R {
        return invoke(*in<Callable*>(storage), std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept { ::new (to) Callable*(in<Callable*>(from)); },
      [](void* storage) noexcept { std::unique_ptr<Callable>{in<Callable*>(storage)}.reset(); }};

  void take(Function& other) noexcept {
    if (other.verbs_ == nullptr) return;
    other.verbs_->move(other.storage_, storage_);
    verbs_ = std::exchange(other.verbs_, nullptr);
  }

  void reset() noexcept {
    if (verbs_ != nullptr) std::exchange(verbs_, nullptr)->destroy(storage_);
  }

  alignas(std::max_align_t) std::byte storage_[inline_size];
  const Verbs* verbs_ = nullptr;
};

/// Work to be run once, on a loop's thread.
using Task = Function<void()>;

/// What is told when an asynchronous request ended: an empty code, or the reason it failed.
using Done = Function<void(std::error_code)>;

}  // namespace ringwire
