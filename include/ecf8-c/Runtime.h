/* The C API of the ECF8 runtime (libECF8Runtime.so): loads a compiled model, a "bundle" folder, and calls its entry
 * points. The library needs neither LLVM nor Python.
 *
 *   EcfModel *model = NULL;
 *   if (ecf8_model_load("model.ecf8", NULL, &model) != ECF8_OK)
 *     fprintf(stderr, "%s\n", ecf8_last_error());
 *
 * A complete program is in docs/guides/runtime.md.
 *
 * Errors. A function that can fail returns an EcfStatusCode; on failure it changes none of its results and
 * ecf8_last_error() describes the last failure of the calling thread: what was expected, what was found, and where.
 * Threads. All functions may be called from any thread at any time, also several invocations of one model at once;
 * only ecf8_model_free must not run while other calls use that model.
 * Ownership. Strings and arrays that are handed out through `const` pointers belong to the model and live as long as
 * it.
 */
#ifndef ECF8_C_RUNTIME_H
#define ECF8_C_RUNTIME_H

#include "ecf8-c/DLPack.h"
#include "ecf8-c/Status.h"

#ifndef DLPACK_MAJOR_VERSION
#error "an older dlpack.h was included first: ECF8 needs DLPack 1.1 or newer"
#endif

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" */
ECF8_API const char *ecf8_version(void);
/* "invalid argument"; never NULL. */
ECF8_API const char *ecf8_status_name(EcfStatusCode code);
/* The message of the calling thread's last failure, "" if there was none. Valid until that thread's next failure. */
ECF8_API const char *ecf8_last_error(void);

/* ---- Threads ------------------------------------------------------------------------------------------------------
 */

/* Sets how many threads a call may use, itself included; 0 means the default: ECF8_NUM_THREADS of the environment, else
 * the number of CPUs that the process may run on. Calls that are already running finish with what they had.
 * At most 1024. All models of the process share one pool of threads. */
ECF8_API EcfStatusCode ecf8_set_threads(int32_t count);
ECF8_API int32_t ecf8_get_threads(void);

/* ---- Loading ------------------------------------------------------------------------------------------------------
 */

typedef struct EcfModel EcfModel;

typedef struct EcfLoadOptions {
  uint32_t structBytes; /* sizeof(EcfLoadOptions); set by ecf8_load_options_init */
  /* Nonzero: trust the weights' bytes. Sizes and headers are checked all the same, and so is the checksum of the code.
   */
  uint32_t skipWeightChecksums;
  /* The instruction set to run on, such as "generic" or "x86-64-v3". NULL: ECF8_CPU of the environment, else the best
   * one of the bundle that this machine has. */
  const char *cpu;
  /* Where a bundle for GPUs runs: "cuda:0" (a number as the driver counts), "simt"; "cpu" for other bundles. NULL:
   * ECF8_DEVICE of the environment, else "cuda:0", "simt" or "cpu" as the bundle's target is. */
  const char *device;
} EcfLoadOptions;

ECF8_API void ecf8_load_options_init(EcfLoadOptions *options);

/* Loads the bundle at `path`: reads the manifest, maps the weights (shared with the page cache, read-only), checks
 * versions, sizes and XXH3-64 checksums, and loads the code for one instruction set. `options` may be NULL. The weights
 * of a bundle for GPUs are copied to the device; calls of such a model come one after the other. The weights file must
 * not be truncated while the model lives. */
ECF8_API EcfStatusCode ecf8_model_load(const char *path, const EcfLoadOptions *options, EcfModel **model);
/* NULL is allowed. Outputs of earlier calls stay valid: they own their memory. */
ECF8_API void ecf8_model_free(EcfModel *model);

/* Checks everything that ecf8_model_load checks, and the checksums of the code for all instruction sets, without
 * running or loading any code. */
ECF8_API EcfStatusCode ecf8_bundle_verify(const char *path);

/* ---- What is in a model -------------------------------------------------------------------------------------------
 */

/* The instruction set in use: "x86-64-v4". */
ECF8_API const char *ecf8_model_cpu(const EcfModel *model);
/* The device in use: "cpu", "cuda:0 (NVIDIA H100 80GB HBM3)", "simt (simt)". */
ECF8_API const char *ecf8_model_device(const EcfModel *model);
/* The program that wrote the bundle: "ecf8 0.1.0, LLVM 22.1.8". */
ECF8_API const char *ecf8_model_producer(const EcfModel *model);

#define ECF8_DYNAMIC_DIM ((int64_t)-1)
#define ECF8_SCALAR_RANK ((int32_t)-1)

typedef struct EcfTensorSpec {
  const char *dtype; /* f8E4M3FN f8E5M2 f16 bf16 f32 f64 i1 i8 i16 i32 i64 ui8 */
  DLDataType dlDtype;
  int32_t rank;         /* ECF8_SCALAR_RANK for a scalar, which is passed as a tensor of rank 0 */
  const int64_t *shape; /* `rank` sizes, ECF8_DYNAMIC_DIM where any size is taken */
} EcfTensorSpec;

/* Entry points are numbered from 0. */
ECF8_API size_t ecf8_model_entry_count(const EcfModel *model);
ECF8_API EcfStatusCode ecf8_model_find_entry(const EcfModel *model, const char *name, size_t *entry);
/* NULL if there is no such number. */
ECF8_API const char *ecf8_model_entry_name(const EcfModel *model, size_t entry);
/* 0 if there is no such entry point. */
ECF8_API size_t ecf8_model_input_count(const EcfModel *model, size_t entry);
ECF8_API size_t ecf8_model_output_count(const EcfModel *model, size_t entry);
ECF8_API EcfStatusCode ecf8_model_input_spec(const EcfModel *model, size_t entry, size_t input, EcfTensorSpec *spec);
ECF8_API EcfStatusCode ecf8_model_output_spec(const EcfModel *model, size_t entry, size_t output, EcfTensorSpec *spec);

typedef struct EcfWeight {
  const char *name;
  int32_t isCompressed; /* nonzero: `data` is a payload of docs/Format.md; zero: plain elements, row-major */
  const char *dtype;    /* of the elements */
  const char *encoding; /* "#ecf8.huffman<...>"; NULL for plain weights */
  int32_t rank;
  const int64_t *shape; /* as the program has it; see ecf8_model_weight_is_transposed for `data` */
  uint64_t storedBytes;
  uint64_t decodedBytes; /* the same weight, not compressed */
  const void *data;      /* `storedBytes` bytes, aligned to 64 */
} EcfWeight;

ECF8_API size_t ecf8_model_weight_count(const EcfModel *model);
ECF8_API EcfStatusCode ecf8_model_weight(const EcfModel *model, size_t index, EcfWeight *weight);
/* Nonzero if what is stored is the weight with its last two dimensions exchanged; 0 also if there is no such weight. */
ECF8_API int32_t ecf8_model_weight_is_transposed(const EcfModel *model, size_t index);

/* ---- Calling ------------------------------------------------------------------------------------------------------
 */

/* Calls entry point number `entry`. Inputs are only read: CPU tensors of the specified dtype, rank and sizes, compact
 * and row-major, aligned to their element; they stay the caller's. On success outputs[0..outputCount) are new tensors,
 * compact and row-major, aligned to 64 (rank 0 for scalars), which own their memory: call their deleter once each. On
 * failure outputs is untouched and all memory of the call is released. The call runs with denormals kept (neither
 * flushed nor taken as zero), rounding to nearest; the caller's floating-point state is restored. */
ECF8_API EcfStatusCode ecf8_model_invoke(const EcfModel *model, size_t entry,
                                         const DLManagedTensorVersioned *const *inputs, size_t inputCount,
                                         DLManagedTensorVersioned **outputs, size_t outputCount);

#ifdef __cplusplus
}
#endif

#endif /* ECF8_C_RUNTIME_H */
