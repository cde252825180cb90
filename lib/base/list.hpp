// An intrusive doubly linked list: the node carries the links, so joining and leaving neither allocate nor
// fail.
//
// Owns nothing; nodes belong to somebody else, who takes them out before they die. An object may stand in
// several lists, one for each tag it inherits a link of. Invariant: a node knows its list, and is in one list
// per tag.
#pragma once

#include "lib/base/assert.hpp"

namespace ringwire::base {

template <typename T, typename Tag>
class List;

/// What a class inherits to stand in a `List<…, Tag>`. It must be out of the list when it is destroyed.
///
/// Example: `class Connection : public base::Link<Due>, public base::Link<Starved> {…};`
template <typename Tag>
class Link {
 public:
  Link() noexcept = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { RINGWIRE_ASSERT(list_ == nullptr); }

  /// True while it stands in a list. With several tags: `node.Link<Due>::linked()`.
  [[nodiscard]] bool linked() const noexcept { return list_ != nullptr; }

 private:
  template <typename T, typename U>
  friend class List;

  Link* previous_ = nullptr;
  Link* next_ = nullptr;
  const void* list_ = nullptr;
};

/// A list of `T`, in the order they were pushed. All operations but the destructor are O(1).
///
/// One thread only. It never moves, because its nodes know its address.
template <typename T, typename Tag>
class List {
 public:
  List() noexcept = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  /// Lets go of the nodes that are left; they live on.
  ~List() {
    while (pop_front() != nullptr) {
    }
  }

  /// True when no node is in it.
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

  /// The first node, or nullptr.
  [[nodiscard]] T* front() const noexcept { return static_cast<T*>(first_); }

  /// The node behind this one, which is in the list; nullptr after the last.
  [[nodiscard]] T* after(const T& node) const noexcept {
    const Link<Tag>& link = node;
    RINGWIRE_ASSERT(link.list_ == this);
    return static_cast<T*>(link.next_);
  }

  /// Adds a node that is in no list of this tag, as the last.
  void push_back(T& node) noexcept { insert(node, last_, nullptr); }

  /// Adds a node that is in no list of this tag, as the first.
  void push_front(T& node) noexcept { insert(node, nullptr, first_); }

  /// Takes the first node out, or answers nullptr.
  T* pop_front() noexcept {
    if (first_ == nullptr) return nullptr;
    T* node = front();
    remove(*node);
    return node;
  }

  /// Takes out a node that is in this list.
  void remove(T& node) noexcept {
    Link<Tag>& link = node;
    RINGWIRE_ASSERT(link.list_ == this, "node {} is in list {}, not in {}", &node, link.list_, this);
    (link.previous_ != nullptr ? link.previous_->next_ : first_) = link.next_;
    (link.next_ != nullptr ? link.next_->previous_ : last_) = link.previous_;
    link.previous_ = nullptr;
    link.next_ = nullptr;
    link.list_ = nullptr;
  }

 private:
  void insert(T& node, Link<Tag>* previous, Link<Tag>* next) noexcept {
    Link<Tag>& link = node;
    RINGWIRE_ASSERT(link.list_ == nullptr, "node {} is already in list {}", &node, link.list_);
    link.previous_ = previous;
    link.next_ = next;
    link.list_ = this;
    (previous != nullptr ? previous->next_ : first_) = &link;
    (next != nullptr ? next->previous_ : last_) = &link;
  }

  Link<Tag>* first_ = nullptr;
  Link<Tag>* last_ = nullptr;
};

}  // namespace ringwire::base
