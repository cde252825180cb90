// One buffer to many connections: a letter for each loop, whatever their number.
#include <ringwire/conn_ref.hpp>
#include <ringwire/error.hpp>

#include "lib/loop/loop.hpp"
#include "lib/loop/mailbox.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace ringwire {

std::error_code broadcast(std::span<const ConnRef> targets, const Buffer& buffer) {
  struct Name {
    std::uint32_t slot;
    std::uint32_t generation;
  };
  struct Group {
    loop::Mailbox* mailbox;
    std::vector<Name> names;
  };

  // An engine has few loops, and neighbours are often on the same one: the last group is looked at first.
  std::vector<Group> groups;
  for (const ConnRef& target : targets) {
    loop::Mailbox* mailbox = target.mailbox();
    auto group = std::find_if(groups.rbegin(), groups.rend(),
                              [&](const Group& made) { return made.mailbox == mailbox; });
    if (group == groups.rend()) {
      groups.push_back({mailbox, {}});
      group = groups.rbegin();
    }
    group->names.push_back({target.slot_, target.generation_});
  }

  std::error_code first;
  for (Group& group : groups) {
    if (group.mailbox == nullptr) continue;
    const auto error = group.mailbox->post(
        [names = std::move(group.names), buffer](loop::Loop* loop, std::error_code) mutable {
          if (loop == nullptr) return;
          for (const Name name : names) {
            if (conn::Connection* conn = loop->find(name.slot, name.generation)) conn->write(buffer);
          }
        });
    if (error && error != Error::closed && !first) first = error;
  }
  return first;
}

}  // namespace ringwire
