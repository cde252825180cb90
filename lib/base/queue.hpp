// An intrusive queue: the node carries one pointer, so joining and leaving at the front neither allocate nor
// fail.
//
// Owns nothing; nodes belong to somebody else, who takes them out before they die. Half of what a `List`
// costs its nodes, for what is nearly always taken from the front. Invariant: a node that stands in a queue
// points to the next, the last one to the queue's end; so a node knows whether it is linked.
#pragma once

#include "lib/base/assert.hpp"

namespace ringwire::base {

template <typename T, typename Tag>
class Queue;

/// What a class inherits to stand in a `Queue<…, Tag>`. It must be out of the queue when it is destroyed.
///
/// Example: `class Connection : public base::QueueLink<Due>, public base::QueueLink<News> {…};`
template <typename Tag>
class QueueLink {
 public:
  QueueLink() noexcept = default;
  QueueLink(const QueueLink&) = delete;
  QueueLink& operator=(const QueueLink&) = delete;
  ~QueueLink() { RINGWIRE_ASSERT(next_ == nullptr); }

  /// True while it stands in a queue. With several tags: `node.QueueLink<Due>::linked()`.
  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }

 private:
  template <typename T, typename U>
  friend class Queue;

  QueueLink* next_ = nullptr;
};

/// A queue of `T`, in the order they were pushed. One thread only. It never moves, because its last node
/// knows its address.
template <typename T, typename Tag>
class Queue {
 public:
  Queue() noexcept = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  /// Lets go of the nodes that are left; they live on.
  ~Queue() {
    while (pop_front() != nullptr) {
    }
  }

  /// True when no node is in it.
  [[nodiscard]] bool empty() const noexcept { return first_ == &end_; }

  /// Adds a node that is in no queue of this tag, as the last. O(1).
  void push_back(T& node) noexcept {
    QueueLink<Tag>& link = node;
    RINGWIRE_ASSERT(link.next_ == nullptr, "node {} is already in a queue", &node);
    (empty() ? first_ : last_->next_) = &link;
    link.next_ = &end_;
    last_ = &link;
  }

  /// Takes the first node out, or answers nullptr. O(1).
  T* pop_front() noexcept {
    if (empty()) return nullptr;
    QueueLink<Tag>* link = first_;
    first_ = link->next_;
    link->next_ = nullptr;
    return static_cast<T*>(link);
  }

  /// Takes out a node that is in this queue. Looks through all before it: not for every day.
  void remove(T& node) noexcept {
    QueueLink<Tag>& link = node;
    QueueLink<Tag>* before = nullptr;
    for (QueueLink<Tag>* each = first_; each != &link; before = each, each = each->next_) {
      RINGWIRE_ASSERT(each != &end_ && each != nullptr, "node {} is not in queue {}", &node, this);
    }
    (before != nullptr ? before->next_ : first_) = link.next_;
    if (last_ == &link) last_ = before;
    link.next_ = nullptr;
  }

 private:
  QueueLink<Tag> end_;
  QueueLink<Tag>* first_ = &end_;
  QueueLink<Tag>* last_ = nullptr;
};

}  // namespace ringwire::base
