/* The C API of ECF8 checkpoints (libECF8Checkpoint.so): reads safetensors files and folders of them, plain or
 * compressed (docs/Checkpoint.md), tensor by tensor, and writes compressed ones. The library needs neither LLVM nor
 * Python nor the runtime.
 *
 *   EcfCheckpoint *checkpoint = NULL;
 *   if (ecf8_checkpoint_open("Qwen3-8B-FP8.ecf8", &checkpoint) != ECF8_OK)
 *     fprintf(stderr, "%s\n", ecf8_checkpoint_last_error());
 *
 * Errors. A function that can fail returns an EcfStatusCode; on failure it changes none of its results (of a buffer to
 * fill the contents are undefined), and ecf8_checkpoint_last_error() describes the last failure of the calling thread.
 * Threads. All functions may be called from any thread at any time; only ecf8_checkpoint_free must not run while other
 * calls use that checkpoint.
 * Ownership. Strings and arrays that are handed out belong to the checkpoint and live as long as it.
 */
#ifndef ECF8_C_CHECKPOINT_H
#define ECF8_C_CHECKPOINT_H

#include "ecf8-c/Status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The message of the calling thread's last failure, "" if there was none. Valid until that thread's next failure. */
ECF8_API const char *ecf8_checkpoint_last_error(void);

typedef struct EcfCheckpoint EcfCheckpoint;

/* Opens a safetensors file, or a folder with all `*.safetensors` files below it and their indexes. Headers and indexes
 * are checked completely; of tensors nothing is read. A tensor name that occurs in two files is ECF8_CORRUPT. */
ECF8_API EcfStatusCode ecf8_checkpoint_open(const char *path, EcfCheckpoint **checkpoint);
ECF8_API void ecf8_checkpoint_free(EcfCheckpoint *checkpoint); /* NULL does nothing */

typedef struct EcfCheckpointTensor {
  const char *name;
  const char *file;      /* relative to the folder; of a single file, its name */
  const char *dtype;     /* of the original, as safetensors names it: "F8_E4M3", "BF16" */
  int32_t rank;          /* of the original */
  const uint64_t *shape; /* `rank` sizes, of the original */
  uint64_t size_bytes;   /* of the original's elements */
  uint64_t stored_bytes; /* in the file */
  const char *encoding;  /* "huffman", "planes", "quads", "pairs", "classic" or "raw"; NULL where the elements are
                          * stored as they are */
} EcfCheckpointTensor;

/* Tensors are numbered by file name, in a file in the order of their data in the original. */
ECF8_API size_t ecf8_checkpoint_tensor_count(const EcfCheckpoint *checkpoint);
/* Reads the header of a payload, to know its encoding. */
ECF8_API EcfStatusCode ecf8_checkpoint_tensor(const EcfCheckpoint *checkpoint, size_t index,
                                              EcfCheckpointTensor *tensor);

/* The original's `__metadata__`, of all files together, by file name and key. */
ECF8_API size_t ecf8_checkpoint_metadata_count(const EcfCheckpoint *checkpoint);
ECF8_API EcfStatusCode ecf8_checkpoint_metadata(const EcfCheckpoint *checkpoint, size_t index, const char **file,
                                                const char **key, const char **value);

/* Reads all elements of a tensor, decoded, in row-major order, into `out` of exactly `size_bytes` bytes, on up to
 * `threads` threads. Payloads are checked against their hashes; bytes that are stored as they are have none. */
ECF8_API EcfStatusCode ecf8_checkpoint_read(const EcfCheckpoint *checkpoint, size_t index, void *out,
                                            uint64_t size_bytes, uint32_t threads);
/* Reads `size_bytes` bytes of the elements from byte `offset_bytes` on. Of payloads only the strips of 32 or 16 rows
 * that hold them are read, which have no hash of their own: damage inside of one can give wrong bytes. */
ECF8_API EcfStatusCode ecf8_checkpoint_read_part(const EcfCheckpoint *checkpoint, size_t index, uint64_t offset_bytes,
                                                 void *out, uint64_t size_bytes);

/* Compresses the checkpoint at `input` to `output`, as `ecf8-pack compress` does. `preset`: "storage", "cpu",
 * "sm_80", "sm_89", "sm_90", "sm_90a", "sm_100", "huffman", "planes", "quads", "pairs", "classic" or "raw". Nonzero
 * `force` overwrites what is in the way. `*nothing`, unless `nothing` is NULL, becomes nonzero where the input has no
 * FP8 tensor and nothing was written. */
ECF8_API EcfStatusCode ecf8_checkpoint_compress(const char *input, const char *output, const char *preset,
                                                uint32_t threads, int32_t force, int32_t *nothing);

#ifdef __cplusplus
}
#endif

#endif /* ECF8_C_CHECKPOINT_H */
