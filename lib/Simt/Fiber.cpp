// Stacks of simulated threads, and the switch between them.
#include "Fiber.h"

#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ECF8_SIMT_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ECF8_SIMT_ASAN 1
#endif
#ifdef ECF8_SIMT_ASAN
#include <sanitizer/asan_interface.h>
#endif

using namespace ecf8::simt;

// The switch keeps what the System V ABI wants kept. A new stack holds zeros for the registers, argument and function
// in r12 and r13, and the address of ecf8_simt_start as the return address.
asm(R"(
  .text
  .p2align 4
  .globl ecf8_simt_switch
  .hidden ecf8_simt_switch
  .type ecf8_simt_switch, @function
ecf8_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
  .size ecf8_simt_switch, .-ecf8_simt_switch

  .globl ecf8_simt_start
  .hidden ecf8_simt_start
  .type ecf8_simt_start, @function
ecf8_simt_start:
  movq %r12, %rdi
  callq *%r13
  ud2
  .size ecf8_simt_start, .-ecf8_simt_start
)");
extern "C" void ecf8_simt_start();

Stacks::~Stacks() {
  if (mapping)
    munmap(mapping, mappingBytes);
}

bool Stacks::reserve(unsigned count) {
  constexpr unsigned kMaxThreads = 1024;
  if (count <= usable)
    return true;
  if (!mapping) {
    mappingBytes = (kMaxThreads + 1) * kStackSlotBytes;
    void *got = mmap(nullptr, mappingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
      return false;
    mapping = got;
    base = (reinterpret_cast<uintptr_t>(got) + kStackSlotBytes - 1) / kStackSlotBytes * kStackSlotBytes;
  }
  for (; usable < count; ++usable)
    if (mprotect(reinterpret_cast<void *>(slot(usable)), kStackGuardBytes, PROT_NONE) != 0)
      return false;
  return true;
}

uintptr_t Stacks::top(unsigned index) const {
  // Tops at different offsets in a page, for the same reason as for contexts.
  return slot(index) + kStackSlotBytes - kContextAreaBytes - index % 32 * 192;
}

void *Stacks::prepare(unsigned index, void (*function)(void *), void *argument) {
#ifdef ECF8_SIMT_ASAN
  ASAN_UNPOISON_MEMORY_REGION(reinterpret_cast<void *>(slot(index) + kStackGuardBytes),
                              kStackSlotBytes - kStackGuardBytes);
#endif
  auto *top = reinterpret_cast<void **>(this->top(index));
  *--top = nullptr; // keeps the stack aligned to 16 at the call in ecf8_simt_start
  *--top = nullptr;
  *--top = reinterpret_cast<void *>(&ecf8_simt_start);
  *--top = nullptr;                            // rbp
  *--top = nullptr;                            // rbx
  *--top = argument;                           // r12
  *--top = reinterpret_cast<void *>(function); // r13
  *--top = nullptr;                            // r14
  *--top = nullptr;                            // r15
  return top;
}
