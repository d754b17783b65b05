// Asynchronous copies. Without checks they are done where they are issued. With checks they are done as late as the
// program allows, so that one which is not waited for is found out.
#ifndef ECF8_SIMT_COPIES_H
#define ECF8_SIMT_COPIES_H

#include "Runtime.h"

#include <deque>
#include <vector>

namespace ecf8::simt {

struct PendingCopy {
  void *destination;
  const void *source;
  uint32_t sizeBytes;
  uint32_t sourceBytes; ///< the rest of the destination is filled with zeros
  const CallSite *site;
  void *mbarrier; ///< of a bulk copy into shared memory
  uint32_t thread;
};

/// Copies of a block that have been issued and not done.
struct Copies {
  struct Thread {
    std::vector<PendingCopy> open, openStores; ///< not committed
    std::deque<std::vector<PendingCopy>> groups, storeGroups;
  };
  std::vector<Thread> threads;
  std::vector<PendingCopy> bulk;

  void begin(unsigned numThreads);
};

/// Copies that tell this mbarrier of their completion are done now.
void completeCopies(Context &context, const void *mbarrier);
/// A thread exits: its stores to global memory still arrive.
void completeStores(Context &context);

void bulkCopyToShared(Context &context, const CallSite &site, void *destination, const void *source, uint32_t sizeBytes,
                      void *mbarrier);
/// cp.async of 4, 8 or 16 bytes.
void asyncCopy(Context &context, const CallSite &site, void *destination, const void *source, uint32_t sizeBytes,
               uint32_t sourceBytes);
void commitCopies(Context &context);
void waitCopies(Context &context, size_t numPending);
void bulkStoreToGlobal(Context &context, const CallSite &site, void *destination, const void *source,
                       uint32_t sizeBytes);
void commitStores(Context &context);
void waitStores(Context &context, size_t numPending);

} // namespace ecf8::simt

#endif // ECF8_SIMT_COPIES_H
