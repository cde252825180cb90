// What belongs to a connection or a session: one object of the user's, of any type.
//
// Leaves to others: when it is destroyed (`Conn`, `Session`). Invariant: an object is found by the type it
// was made as, and by no other.
#pragma once

#include <memory>
#include <utility>

namespace ringwire {

/// Owns one object of any type, or none. Users reach it through `Conn::emplace_context` and
/// `Session::emplace_context`.
class Context {
 public:
  /// Owns nothing.
  Context() noexcept = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() {
    if (object_ != nullptr) type_->destroy(object_);
  }

  /// Makes a `T`, then destroys what was there. Throws what `T` and the allocation throw; then nothing
  /// changed.
  template <typename T, typename... Args>
  T& emplace(Args&&... args) {
    auto made = std::make_unique<T>(std::forward<Args>(args)...);
    T& object = *made;
    void* const old = std::exchange(object_, made.release());
    const Type* const old_type = std::exchange(type_, &type_of<T>);
    if (old != nullptr) old_type->destroy(old);
    return object;
  }

  /// The object, or nullptr when there is none or it is of another type.
  template <typename T>
  [[nodiscard]] T* get() const noexcept {
    return type_ == &type_of<T> ? static_cast<T*>(object_) : nullptr;
  }

 private:
  struct Type {
    void (*destroy)(void* object) noexcept;
  };

  template <typename T>
  static void destroy_as(void* object) noexcept {
    delete static_cast<T*>(object);
  }
  template <typename T>  // Its address tells the types apart, without RTTI.
  static constexpr Type type_of{&destroy_as<T>};

  void* object_ = nullptr;
  const Type* type_ = nullptr;
};

}  // namespace ringwire
