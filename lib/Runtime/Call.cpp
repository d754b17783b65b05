// The imports of compiled code. `fail` leaves the code by longjmp, on the calling thread and on workers alike: each has
// a frame to which it returns. No C++ object with a destructor lives in a stack frame between the two.
#include "Call.h"

#include "FloatingPointState.h"
#include "Gpu/GpuProgram.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

using namespace ecf8;

//===-- Memory
//------------------------------------------------------------------------------------------------------===//

struct TrackedMemory::Header {
  Header *previous, *next;
  void *allocated; // what free() takes
  uint64_t bytes, alignment;
};

// Keeps the bytes that are handed out aligned to 64 behind the header.
static constexpr uint64_t headerBytes = 64;
// What the C library takes from the system and gives back, each time page by page; smaller blocks it keeps itself.
static constexpr uint64_t minimumKeptBytes = 64 * 1024;
static constexpr uint64_t maximumKeptBytes = 64 * 1024 * 1024;

TrackedMemory::Header *TrackedMemory::headerOf(void *pointer) {
  return reinterpret_cast<Header *>(static_cast<char *>(pointer) - headerBytes);
}

void *TrackedMemory::allocate(uint64_t bytes, uint64_t alignment) {
  static_assert(sizeof(Header) <= headerBytes);
  alignment = std::max<uint64_t>(alignment, 64);
  // No machine has 2^56 bytes; below that nothing here overflows.
  if (bytes >> 56 || alignment >> 32 || (alignment & (alignment - 1)))
    return nullptr;
  if (bytes >= minimumKeptBytes)
    if (void *pointer = reuse(bytes, alignment))
      return pointer;
  // Not std::aligned_alloc: glibc's does not find the block that the last call's result has left, and takes a new one.
  uint64_t total = headerBytes + (alignment - 1) + bytes;
  void *allocated = std::malloc(total);
  if (!allocated)
    return nullptr;
  void *pointer = static_cast<char *>(allocated) + headerBytes;
  uint64_t room = alignment - 1 + bytes;
  std::align(alignment, bytes, pointer, room); // fits: `room` has alignment - 1 bytes more than needed
  std::lock_guard<std::mutex> lock(mutex);
  link(first, new (headerOf(pointer)) Header{nullptr, nullptr, allocated, bytes, alignment});
  return pointer;
}

/// A kept block of this size and alignment, or null. The layers of a model ask for the same sizes again and again.
void *TrackedMemory::reuse(uint64_t bytes, uint64_t alignment) {
  std::lock_guard<std::mutex> lock(mutex);
  for (Header *header = kept; header; header = header->next) {
    if (header->bytes != bytes || header->alignment != alignment)
      continue;
    unlink(kept, header);
    keptBytes -= bytes;
    link(first, header);
    return reinterpret_cast<char *>(header) + headerBytes;
  }
  return nullptr;
}

void TrackedMemory::link(Header *&list, Header *header) {
  header->previous = nullptr;
  header->next = list;
  if (list)
    list->previous = header;
  list = header;
}

void TrackedMemory::unlink(Header *&list, Header *header) {
  (header->previous ? header->previous->next : list) = header->next;
  if (header->next)
    header->next->previous = header->previous;
}

void TrackedMemory::release(void *pointer) {
  if (!pointer)
    return;
  Header *header = headerOf(pointer);
  {
    std::lock_guard<std::mutex> lock(mutex);
    unlink(first, header);
    if (header->bytes >= minimumKeptBytes && header->bytes <= maximumKeptBytes - keptBytes) {
      link(kept, header);
      keptBytes += header->bytes;
      return;
    }
  }
  std::free(header->allocated);
}

bool TrackedMemory::detach(void *pointer) {
  std::lock_guard<std::mutex> lock(mutex);
  // At the end of a call the outputs alone are left, so the list is short.
  for (Header *header = first; header; header = header->next) {
    if (reinterpret_cast<char *>(header) + headerBytes != pointer)
      continue;
    unlink(first, header);
    return true;
  }
  return false;
}

void TrackedMemory::freeDetached(void *pointer) { std::free(headerOf(pointer)->allocated); }

void TrackedMemory::releaseAll() {
  for (Header **list : {&first, &kept}) {
    while (Header *header = *list) {
      *list = header->next;
      std::free(header->allocated);
    }
  }
  keptBytes = 0;
}

//===-- Leaving compiled code
//---------------------------------------------------------------------------------------===//

namespace {

/// Where `fail` returns to on this thread.
struct Frame {
  jmp_buf target;
};

thread_local Call *callOfThread = nullptr;
thread_local Frame *runningFrame = nullptr;

/// Calls `function(arguments...)`, which may be left by longjmp to this frame. Returns false if it was.
template <typename Function> [[gnu::noinline]] bool runInFrame(Call *call, Function function) {
  Frame frame;
  Call *volatile outerCall = callOfThread;
  Frame *volatile outerFrame = runningFrame;
  bool finished;
  if (_setjmp(frame.target) == 0) {
    callOfThread = call;
    runningFrame = &frame;
    function();
    finished = true;
  } else {
    finished = false;
  }
  callOfThread = outerCall;
  runningFrame = outerFrame;
  return finished;
}

/// A parallel loop of compiled code.
struct Loop {
  Call *call;
  void (*body)(int64_t, int64_t, void *);
  void *context;
};

} // namespace

namespace ecf8 {

/// The functions of the import table, as a friend of Call.
struct Imports {
  [[noreturn]] static void leave() {
    if (!runningFrame) { // not reachable from code that the runtime called
      std::fputs("ecf8: fail() was called outside a call\n", stderr);
      std::abort();
    }
    longjmp(runningFrame->target, 1);
  }

  static void fail(int32_t code, const char *message) {
    bool known = code > int32_t(StatusCode::Ok) && code <= int32_t(StatusCode::Aborted);
    if (callOfThread)
      callOfThread->record(known ? static_cast<StatusCode>(code) : StatusCode::Aborted, message ? message : "");
    leave();
  }

  static void *allocate(uint64_t bytes, uint64_t alignment) {
    if (callOfThread->gpu) {
      if (void *pointer = allocateOnGpu(bytes))
        return pointer;
      leave();
    }
    if (void *pointer = callOfThread->memory.allocate(bytes, alignment))
      return pointer;
    char message[96];
    std::snprintf(message, sizeof(message), "cannot allocate %llu bytes", static_cast<unsigned long long>(bytes));
    callOfThread->record(StatusCode::OutOfMemory, message);
    leave();
  }

  /// Null after an error, which is recorded.
  static void *allocateOnGpu(uint64_t bytes) {
    Result<void *> pointer = callOfThread->gpu->allocate(bytes);
    if (pointer)
      return *pointer;
    callOfThread->record(pointer.status().code(), pointer.status().message().c_str());
    return nullptr;
  }

  static void release(void *pointer) {
    if (!callOfThread->gpu)
      callOfThread->memory.release(pointer);
    else if (pointer)
      callOfThread->gpu->release(pointer);
  }

  static const void *weight(int64_t index, int64_t *sizeBytes) {
    Call *call = callOfThread;
    if (index < 0 || index >= static_cast<int64_t>(call->weights.size())) {
      char message[96];
      std::snprintf(message, sizeof(message), "the code asks for weight %lld of %zu", static_cast<long long>(index),
                    call->weights.size());
      call->record(StatusCode::Corrupt, message);
      leave();
    }
    *sizeBytes = call->weights[index].sizeBytes;
    return call->weights[index].data;
  }

  static void runPiece(int64_t begin, int64_t end, void *context) {
    Loop *loop = static_cast<Loop *>(context);
    // After an error anywhere in the call its other pieces have no purpose.
    if (!loop->call->failed.load(std::memory_order_relaxed))
      (void)runInFrame(loop->call, [=] { loop->body(begin, end, loop->context); });
  }

  static void parallelFor(int64_t count, int64_t grain, void (*body)(int64_t, int64_t, void *), void *context) {
    Call *call = callOfThread;
    Loop loop{call, body, context};
    call->pool.run(count, grain, runPiece, &loop);
    // Pieces that were skipped are no result either, so any failure of the call ends this loop's caller as well.
    if (call->failed.load(std::memory_order_relaxed))
      leave();
  }
};

} // namespace ecf8

Call *ecf8::runningCall() { return callOfThread; }
void ecf8::leaveRunningCall() { Imports::leave(); }

void Call::record(StatusCode code, const char *message) {
  if (!messageTaken.test_and_set()) {
    errorCode = code;
    std::snprintf(errorMessage, sizeof(errorMessage), "%s", message);
  }
  failed.store(true, std::memory_order_release);
}

Status Call::run(void (*function)(void **), void **operands) {
  FloatingPointScope floatingPoint;
  bool finished = runInFrame(this, [=] { function(operands); });
  if (finished && !failed.load(std::memory_order_acquire))
    return Status::ok();
  return Status(errorCode, errorMessage);
}

const EcfModuleImports &ecf8::moduleImports() {
  static const EcfModuleImports imports = {
      ECF8_MODULE_ABI_VERSION, sizeof(EcfModuleImports), Imports::allocate,   Imports::release,
      Imports::fail,           Imports::weight,          Imports::parallelFor};
  return imports;
}
