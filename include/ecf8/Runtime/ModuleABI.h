/* The contract between compiled code (a shared object of a bundle) and the runtime that loads it.
 *
 * A shared object exports
 *   uint32_t ecf8_module_abi(void);                               the value of ECF8_MODULE_ABI_VERSION it was built for
 *   void ecf8_module_init(const EcfModuleImports *imports);       called once after loading; idempotent
 *   void ecf8_entry_<n>(void **operands);                         one per entry point; the manifest names the symbol
 * and has no undefined symbols except those of libc and libm.
 *
 * `operands` holds one pointer per input and then one per output. A tensor's pointer leads to its memref descriptor
 * {void *allocated; void *aligned; int64_t offset; int64_t sizes[rank]; int64_t strides[rank];} (offset and strides in
 * elements); a scalar's pointer leads to the value. Inputs are only read. Output descriptors are filled in by the call;
 * their `allocated` comes from `allocate` and belongs to the caller, who frees each distinct pointer once with
 * `release`.
 */
#ifndef ECF8_RUNTIME_MODULEABI_H
#define ECF8_RUNTIME_MODULEABI_H

#include <stdint.h>

#define ECF8_MODULE_ABI_VERSION 1

typedef struct EcfModuleImports {
  uint32_t abiVersion;  /* ECF8_MODULE_ABI_VERSION of the runtime */
  uint32_t structBytes; /* sizeof(EcfModuleImports) */
  /* Returns `bytes` bytes aligned to `alignment` (a power of two). Never NULL: memory that is not to be had ends the
   * call. */
  void *(*allocate)(uint64_t bytes, uint64_t alignment);
  void (*release)(void *pointer);
  /* Ends the running call with an error status. `code` is an EcfStatusCode. Does not return. */
  void (*fail)(int32_t code, const char *message);
  /* The bytes of weight number `index` of the manifest, aligned to 64, valid during the call. */
  const void *(*weight)(int64_t index, int64_t *sizeBytes);
  /* Runs body(begin, end, context) over disjoint pieces of [0, count), each at least `grain` long except the last,
   * possibly at the same time on several threads; returns when all are done. An error in a piece ends the call. */
  void (*parallelFor)(int64_t count, int64_t grain, void (*body)(int64_t begin, int64_t end, void *context),
                      void *context);
} EcfModuleImports;

/* Code for a GPU exports, besides the above,
 *   void ecf8_module_init_gpu(const EcfGpuImports *imports);      called once after loading; may be missing
 * and the memory of all tensors is then the GPU's: what `allocate` gives, what `weight` gives (a device image, see
 * docs/Bundle.md; the size is that of the payload), and what descriptors of operands point to. Scalars and descriptors
 * themselves are the host's. Work is in the order of the calls; none of them waits for it but `read`. Each ends the
 * call with an error status where it fails.
 */
typedef struct EcfGpuImports {
  uint32_t abiVersion;  /* ECF8_MODULE_ABI_VERSION of the runtime */
  uint32_t structBytes; /* sizeof(EcfGpuImports) */
  /* Launches the kernel of this name on gridX * gridY blocks of blockX threads. `parameters` points to its parameters.
   */
  void (*launch)(const char *kernel, int64_t gridX, int64_t gridY, int64_t blockX, int64_t sharedBytes,
                 void **parameters, int64_t parameterCount);
  /* Copies between places on the GPU. */
  void (*copy)(void *destination, const void *source, int64_t bytes);
  /* Copies to the host, and waits for it. */
  void (*read)(void *host, const void *source, int64_t bytes);
  /* Copies from the host, whose memory may change after the call. */
  void (*write)(void *destination, const void *host, int64_t bytes);
  /* The copy on the GPU of constant data of the module, made at the first call. */
  const void *(*constant)(const void *host, int64_t bytes);
  int64_t (*processors)(void);  /* multiprocessors of the GPU */
  int64_t (*sharedBytes)(void); /* the most shared memory that a block can have */
  /* Memory on the GPU for the next launch. 0: anything. 1: counters, which are zero, and which the kernel leaves zero.
   * 2: the status, 4 bytes, in which a kernel leaves 1 + the number of an assertion of the manifest that has failed. */
  void *(*workspace)(int64_t which, int64_t bytes);
  /* Bytes of the longest stream of a tile (docs/Format.md, section 15) of the weight whose image lies at `payload`. */
  int64_t (*slot)(const void *payload);
  /* The header of that weight's payload (docs/Format.md, section 4), in the host's memory. */
  const void *(*header)(const void *payload);
} EcfGpuImports;

#endif /* ECF8_RUNTIME_MODULEABI_H */
