/* What a bundle's shared object looks like to the runtime, in C: one small entry point for each thing to test. */
#include "ecf8/Runtime/ModuleABI.h"

#include <string.h>

#ifndef TEST_MODULE_ABI
#define TEST_MODULE_ABI ECF8_MODULE_ABI_VERSION
#endif

static const EcfModuleImports *rt;

uint32_t ecf8_module_abi(void) { return TEST_MODULE_ABI; }
#ifndef TEST_MODULE_WITHOUT_INIT
void ecf8_module_init(const EcfModuleImports *imports) { rt = imports; }
#endif

typedef struct {
  float *allocated, *aligned;
  int64_t offset, sizes[2], strides[2];
} Matrix;

static void makeMatrix(Matrix *matrix, int64_t rows, int64_t columns) {
  matrix->allocated = matrix->aligned = rt->allocate((uint64_t)(rows * columns) * sizeof(float), 64);
  matrix->offset = 0;
  matrix->sizes[0] = rows;
  matrix->sizes[1] = columns;
  matrix->strides[0] = columns;
  matrix->strides[1] = 1;
}

/* scale(f32 [?, 4]) -> f32 [?, 4]: times weight 0, an f32 [4]; rows in parallel. */
typedef struct {
  const Matrix *input;
  Matrix *output;
  const float *weight;
} ScaleContext;

static void scaleRows(int64_t begin, int64_t end, void *context) {
  ScaleContext *c = context;
  for (int64_t i = begin; i < end; ++i)
    for (int64_t j = 0; j < 4; ++j)
      c->output->aligned[i * 4 + j] = c->input->aligned[i * 4 + j] * c->weight[j];
}

void test_scale(void **operands) {
  int64_t bytes;
  ScaleContext context = {operands[0], operands[1], rt->weight(0, &bytes)};
  void *scratch = rt->allocate(1000, 4096);
  makeMatrix(context.output, context.input->sizes[0], 4);
  rt->parallelFor(context.input->sizes[0], 1, scaleRows, &context);
  rt->release(scratch);
  rt->release(NULL);
}

/* fail(i64 where) -> f32 [2, 2]: 0: on the calling thread; 1: in a piece; 2: in a piece of a nested loop; 3: in all
 * pieces; 4: with a code that does not exist; otherwise not at all. Leaves its memory behind. */
static void failInPiece(int64_t begin, int64_t end, void *context) {
  int64_t where = *(int64_t *)context;
  rt->allocate(100, 64);
  if (where == 3 || (begin <= 500 && 500 < end))
    rt->fail(7, "a piece failed");
}

static void failNested(int64_t begin, int64_t end, void *context) {
  for (int64_t i = begin; i < end; ++i)
    rt->parallelFor(1000, 10, failInPiece, context);
}

void test_fail(void **operands) {
  int64_t where = *(int64_t *)operands[0];
  rt->allocate(1 << 20, 64);
  if (where == 0)
    rt->fail(7, "assertion at model.mlir:3:4 failed");
  else if (where == 1 || where == 3)
    rt->parallelFor(1000, 1, failInPiece, &where);
  else if (where == 2)
    rt->parallelFor(20, 1, failNested, &where);
  else if (where == 4)
    rt->fail(1000, "unknown code");
  if (where >= 0 && where <= 4)
    __builtin_trap(); /* neither fail() nor a loop with a failed piece returns */
  makeMatrix(operands[1], 2, 2);
  memset(((Matrix *)operands[1])->aligned, 0, 16);
}

/* allocate(i64 bytes) -> i64: the low bits of the address */
void test_allocate(void **operands) {
  uint64_t bytes = *(uint64_t *)operands[0];
  char *pointer = rt->allocate(bytes, 4096);
  if (bytes)
    pointer[0] = pointer[bytes - 1] = 1;
  *(int64_t *)operands[1] = (int64_t)((uintptr_t)pointer % 4096);
}

/* reuse(i64 bytes) -> i64: whether a block of a released one's size has what was written there, plus 2 if the same
 * block is handed out twice. */
void test_reuse(void **operands) {
  uint64_t bytes = *(uint64_t *)operands[0];
  char *pointer = rt->allocate(bytes, 64);
  pointer[bytes / 2] = 77;
  rt->release(pointer);
  volatile char *again = rt->allocate(bytes, 64);
  char *other = rt->allocate(bytes, 64);
  *(int64_t *)operands[1] = (again[bytes / 2] == 77) + 2 * (again == other);
}

/* weight(i64 index) -> i64: its size in bytes plus its first byte */
void test_weight(void **operands) {
  int64_t bytes;
  const unsigned char *data = rt->weight(*(int64_t *)operands[0], &bytes);
  *(int64_t *)operands[1] = (uintptr_t)data % 64 ? -1 : bytes + (bytes ? data[0] : 0);
}

/* share(f32 [2, 3]) -> f32 [2, 3], f32 [2, 3], f32 [3, 2], f32 [2, 3]: one block twice, its transpose as a view, and
 * the input itself */
void test_share(void **operands) {
  Matrix *input = operands[0], *a = operands[1], *b = operands[2], *c = operands[3], *d = operands[4];
  makeMatrix(a, 2, 3);
  memcpy(a->aligned, input->aligned, 24);
  *b = *a;
  *c = *a;
  c->sizes[0] = 3, c->sizes[1] = 2, c->strides[0] = 1, c->strides[1] = 3;
  *d = *input;
}

/* wrong_shape() -> f32 [2, 3]: makes [3, 2] */
void test_wrong_shape(void **operands) { makeMatrix(operands[0], 3, 2); }

/* nested(i64 n) -> i64: n * n by counting in nested loops */
typedef struct {
  int64_t n;
  int64_t *rows;
} NestedContext;

static void countInner(int64_t begin, int64_t end, void *context) {
  __atomic_fetch_add((int64_t *)context, end - begin, __ATOMIC_RELAXED);
}

static void countOuter(int64_t begin, int64_t end, void *context) {
  NestedContext *c = context;
  for (int64_t i = begin; i < end; ++i) {
    c->rows[i] = 0;
    rt->parallelFor(c->n, 7, countInner, &c->rows[i]);
  }
}

void test_nested(void **operands) {
  NestedContext context = {*(int64_t *)operands[0], 0};
  context.rows = rt->allocate((uint64_t)context.n * 8, 64);
  rt->parallelFor(context.n, 1, countOuter, &context);
  int64_t sum = 0;
  for (int64_t i = 0; i < context.n; ++i)
    sum += context.rows[i];
  *(int64_t *)operands[1] = sum;
  rt->release(context.rows);
}

/* pieces(i64 count, i64 grain) -> i64: 1 if each element was in one piece and each piece but the last is long enough */
typedef struct {
  int64_t count, grain;
  unsigned char *seen;
  int64_t good;
} PiecesContext;

static void markPiece(int64_t begin, int64_t end, void *context) {
  PiecesContext *c = context;
  if (begin >= end || end > c->count || (end - begin < c->grain && end != c->count))
    __atomic_store_n(&c->good, 0, __ATOMIC_RELAXED);
  for (int64_t i = begin; i < end; ++i)
    if (__atomic_fetch_add(&c->seen[i], 1, __ATOMIC_RELAXED))
      __atomic_store_n(&c->good, 0, __ATOMIC_RELAXED);
}

void test_pieces(void **operands) {
  PiecesContext context = {*(int64_t *)operands[0], *(int64_t *)operands[1], 0, 1};
  context.seen = rt->allocate((uint64_t)context.count, 64);
  memset(context.seen, 0, (size_t)context.count);
  rt->parallelFor(context.count, context.grain, markPiece, &context);
  for (int64_t i = 0; i < context.count; ++i)
    if (context.seen[i] != 1)
      context.good = 0;
  *(int64_t *)operands[2] = context.good;
}

/* denormals() -> i64: pieces in which the smallest denormal times one is still itself, of 1000 */
static void multiplyDenormal(int64_t begin, int64_t end, void *context) {
  volatile float tiny = 1e-45f, one = 1.0f;
  volatile float product = tiny * one;
  if (product != 0.0f)
    __atomic_fetch_add((int64_t *)context, end - begin, __ATOMIC_RELAXED);
}

void test_denormals(void **operands) {
  int64_t kept = 0;
  rt->parallelFor(1000, 1, multiplyDenormal, &kept);
  *(int64_t *)operands[0] = kept;
}

/* invert(i1 [?]) -> f64: how many are false */
void test_invert(void **operands) {
  struct {
    char *allocated, *aligned;
    int64_t offset, size, stride;
  } *input = operands[0];
  double count = 0;
  for (int64_t i = 0; i < input->size; ++i)
    count += !input->aligned[i];
  *(double *)operands[1] = count;
}
