// Checked accesses of the instructions that read or write memory themselves.
#ifndef ECF8_SIMT_MEMORY_H
#define ECF8_SIMT_MEMORY_H

#include "Block.h"

namespace ecf8::simt {

/// Ends the launch unless `address` is a multiple of `alignment`.
inline void requireAlignment(Context &context, const CallSite &site, const void *address, unsigned alignment,
                             const char *what) {
  if (uintptr_t(address) % alignment == 0)
    return;
  const Block &block = *context.block;
  char place[64];
  if (block.isShared(address))
    snprintf(place, sizeof place, "shared offset %zu", size_t(static_cast<const char *>(address) - block.shared()));
  else
    snprintf(place, sizeof place, "%p", address);
  fail(context, &site,
       std::string("misaligned ") + what + ": expected a multiple of " + std::to_string(alignment) + ", got " + place);
}

/// Ends the launch unless the bytes lie in the block's shared memory.
inline void requireShared(Context &context, const CallSite &site, const void *address, uint64_t sizeBytes,
                          const char *what) {
  const Block &block = *context.block;
  uint64_t offset = uintptr_t(address) - uintptr_t(block.shared());
  if (offset < block.sharedBytes() && sizeBytes <= block.sharedBytes() - offset)
    return;
  std::string place =
      offset < kArenaBytes ? "shared offset " + std::to_string(offset) : "an address that is not shared";
  fail(context, &site,
       std::string(what) + ": expected " + std::to_string(sizeBytes) + " bytes of the block's " +
           std::to_string(block.sharedBytes()) + " bytes of shared memory, got " + place);
}

inline void checkAccess(Context &context, const CallSite &site, const void *address, uint64_t sizeBytes,
                        uint32_t kind) {
  if (context.block->checks())
    context.block->checker().access(context, &site, address, sizeBytes, kind);
}

} // namespace ecf8::simt

#endif // ECF8_SIMT_MEMORY_H
