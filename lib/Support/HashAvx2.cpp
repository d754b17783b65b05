// Compiled with -mavx2 as a whole, since xxHash chooses its vectors by what the compiler may use. Nothing here has
// inline functions with external linkage, which the linker could give to callers that must run everywhere.
#include "HashAvx2.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t ecf8::hashBytesAvx2(const void *bytes, size_t count) { return XXH3_64bits(bytes, count); }

void ecf8::updateHashAvx2(void *state, const void *bytes, size_t count) {
  XXH3_64bits_update(static_cast<XXH3_state_t *>(state), bytes, count);
}
