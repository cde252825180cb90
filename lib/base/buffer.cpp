// A buffer's own memory: one block, its counter in front of its bytes.
#include <ringwire/buffer.hpp>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace ringwire {
namespace {

void free_block(Buffer::Storage* storage) noexcept {
  std::destroy_at(storage);
  std::free(storage);
}

}  // namespace

Buffer Buffer::allocate(std::size_t size, std::span<std::byte>& room) {
  if (size == 0) return {};
  if (size > SIZE_MAX - sizeof(Storage)) throw std::bad_alloc();
  void* memory = std::malloc(sizeof(Storage) + size);
  if (memory == nullptr) throw std::bad_alloc();
  Storage* storage = std::construct_at(static_cast<Storage*>(memory));
  storage->free = &free_block;
  room = {static_cast<std::byte*>(static_cast<void*>(storage + 1)), size};
  return {storage, room};
}

Buffer::Buffer(Bytes bytes) {
  std::span<std::byte> room;
  *this = allocate(bytes.size(), room);
  if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), bytes.size());
}

}  // namespace ringwire
