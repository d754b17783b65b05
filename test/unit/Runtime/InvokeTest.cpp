// Calls: inputs and their checks, outputs and their memory, errors of the code.
#include "TestBundle.h"

#include <gtest/gtest.h>

#include <xmmintrin.h>

using namespace ecf8::test;

namespace {

class Invoke : public testing::Test {
protected:
  void SetUp() override {
    model = load(bundle);
    ASSERT_TRUE(model) << ecf8_last_error();
  }
  int64_t number(const char *name, std::vector<int64_t> arguments) {
    std::vector<Tensor> inputs;
    for (int64_t argument : arguments)
      inputs.push_back(Tensor::i64(argument));
    CallResult result = call(model.get(), name, std::move(inputs));
    EXPECT_EQ(result.code, ECF8_OK) << result.error;
    return result.code == ECF8_OK ? result.values<int64_t>()[0] : INT64_MIN;
  }
  std::string refusal(const char *name, std::vector<Tensor> inputs, EcfStatusCode expected = ECF8_INVALID_ARGUMENT) {
    CallResult result = call(model.get(), name, std::move(inputs));
    EXPECT_EQ(result.code, expected);
    return result.error;
  }
  TestBundle bundle;
  ModelPtr model;
};

} // namespace

TEST_F(Invoke, ScalesRows) {
  for (int64_t rows : {0, 1, 2, 1000}) {
    std::vector<float> values(rows * 4), expected;
    for (int64_t i = 0; i < rows * 4; ++i) {
      values[i] = static_cast<float>(i);
      expected.push_back(values[i] * static_cast<float>(i % 4 + 1));
    }
    CallResult result = call(model.get(), "scale", {Tensor::f32({rows, 4}, values)});
    ASSERT_EQ(result.code, ECF8_OK) << result.error;
    EXPECT_EQ(result.values<float>(), expected);
    const DLTensor &tensor = result.outputs[0]->dl_tensor;
    EXPECT_EQ(tensor.ndim, 2);
    EXPECT_EQ(tensor.shape[0], rows);
    EXPECT_EQ(tensor.strides[0], 4);
    EXPECT_EQ(tensor.dtype.code, kDLFloat);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data) % 64, 0u);
    EXPECT_EQ(result.outputs[0]->version.major, 1u);
  }
}

TEST_F(Invoke, OutputsOutliveTheModel) {
  CallResult result = call(model.get(), "scale", {Tensor::f32({1, 4}, {1, 1, 1, 1})});
  model.reset();
  EXPECT_EQ(result.values<float>(), (std::vector<float>{1, 2, 3, 4}));
}

TEST_F(Invoke, ByteOffsetAndStrides) {
  Tensor input = Tensor::f32({1, 4}, {9, 1, 1, 1, 1});
  input.managed.dl_tensor.byte_offset = 4;
  std::vector<int64_t> strides = {77, 1}; // of no meaning where the size is 1
  input.managed.dl_tensor.strides = strides.data();
  CallResult result = call(model.get(), "scale", {input});
  ASSERT_EQ(result.code, ECF8_OK) << result.error;
  EXPECT_EQ(result.values<float>(), (std::vector<float>{1, 2, 3, 4}));
}

// One block in two outputs, a transposed view of it, and the input itself: four independent compact tensors.
TEST_F(Invoke, SharedOutputsBecomeIndependent) {
  CallResult result = call(model.get(), "share", {Tensor::f32({2, 3}, {1, 2, 3, 4, 5, 6})});
  ASSERT_EQ(result.code, ECF8_OK) << result.error;
  std::vector<float> same = {1, 2, 3, 4, 5, 6};
  static_cast<float *>(result.outputs[0]->dl_tensor.data)[0] = 100;
  EXPECT_EQ(result.values<float>(1), same);
  EXPECT_EQ(result.values<float>(2), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(result.values<float>(3), same);
}

// The C library gives blocks of these sizes back to the system, and fresh ones are zero. The larger one is not kept.
TEST_F(Invoke, ReleasedBlocksServeTheCall) {
  EXPECT_EQ(number("reuse", {40 << 20}), 1);
  EXPECT_EQ(number("reuse", {80 << 20}), 0);
}

TEST_F(Invoke, Weights) {
  EXPECT_EQ(number("weight", {1}), 256 + 'E');
  EXPECT_EQ(number("weight", {2}), 1 + 5);
  EXPECT_EQ(number("weight", {3}), 0);
  EXPECT_EQ(refusal("weight", {Tensor::i64(4)}, ECF8_CORRUPT), "weight: the code asks for weight 4 of 4");
  EXPECT_EQ(refusal("weight", {Tensor::i64(-1)}, ECF8_CORRUPT), "weight: the code asks for weight -1 of 4");
}

TEST_F(Invoke, Booleans) {
  Tensor input({kDLBool, 8, 1}, {3}, std::vector<char>{1, 0, 0});
  CallResult result = call(model.get(), "invert", {input});
  ASSERT_EQ(result.code, ECF8_OK) << result.error;
  EXPECT_EQ(result.values<double>()[0], 2.0);
  EXPECT_EQ(refusal("invert", {Tensor({kDLBool, 8, 1}, {3}, std::vector<char>{1, 0, 2})}),
            "invert: input 0: expected booleans of 0 or 1, got 2 at element 2");
}

TEST_F(Invoke, RefusedInputs) {
  std::vector<float> values(8);
  EXPECT_EQ(refusal("scale", {}), "scale: expected 1 inputs, got 0");
  EXPECT_EQ(refusal("scale", {Tensor::f32({8}, values)}), "scale: input 0: expected f32 [?, 4] of rank 2, got rank 1");
  EXPECT_EQ(refusal("scale", {Tensor::f32({4, 2}, values)}), "scale: input 0: expected f32 [?, 4], got [4, 2]");
  EXPECT_EQ(refusal("scale", {Tensor::f32({-1, 4}, values)}), "scale: input 0: expected f32 [?, 4], got [-1, 4]");
  EXPECT_EQ(refusal("scale", {Tensor::f32({int64_t(1) << 60, 4}, values)}),
            "scale: input 0: expected less than 2^63 bytes, got [1152921504606846976, 4]");
  EXPECT_EQ(refusal("scale", {Tensor({kDLInt, 32, 1}, {2, 4}, values)}), "scale: input 0: expected dtype f32, got i32");
  EXPECT_EQ(refusal("scale", {Tensor({kDLComplex, 64, 1}, {2, 4}, values)}),
            "scale: input 0: expected dtype f32, got DLPack type (code 5, 64 bits, 1 lanes)");
  EXPECT_EQ(refusal("fail", {Tensor({kDLInt, 64, 1}, {1}, std::vector<int64_t>{9})}),
            "fail: input 0: expected i64 scalar of rank 0, got rank 1");

  Tensor input = Tensor::f32({2, 4}, values);
  std::vector<int64_t> strides = {1, 2};
  input.managed.dl_tensor.strides = strides.data();
  EXPECT_EQ(refusal("scale", {input}),
            "scale: input 0: expected a compact row-major tensor, got strides [1, 2] for [2, 4]");
  input = Tensor::f32({1, 4}, values);
  input.managed.dl_tensor.byte_offset = 2;
  EXPECT_NE(refusal("scale", {input}).find("expected data aligned to 4 bytes"), std::string::npos);
  input = Tensor::f32({2, 4}, values);
  input.managed.dl_tensor.data = nullptr;
  EXPECT_EQ(refusal("scale", {input}), "scale: input 0: expected data, got NULL");
  input = Tensor::f32({2, 4}, values);
  input.managed.dl_tensor.device.device_type = kDLCUDA;
  EXPECT_EQ(refusal("scale", {input}), "scale: input 0: expected a tensor on the CPU, got DLPack device type 2");
  input = Tensor::f32({2, 4}, values);
  input.managed.version.major = 2;
  EXPECT_EQ(refusal("scale", {input}, ECF8_UNSUPPORTED), "scale: input 0: expected DLPack version 1.x, got 2.1");

  const DLManagedTensorVersioned *none = nullptr;
  DLManagedTensorVersioned *output = nullptr;
  EXPECT_EQ(ecf8_model_invoke(model.get(), 0, &none, 1, &output, 1), ECF8_INVALID_ARGUMENT);
  EXPECT_STREQ(ecf8_last_error(), "scale: input 0: expected a tensor, got NULL");
  const DLManagedTensorVersioned *good = &input.managed;
  EXPECT_EQ(ecf8_model_invoke(model.get(), 0, &good, 1, &output, 0), ECF8_INVALID_ARGUMENT);
  EXPECT_STREQ(ecf8_last_error(), "scale: expected places for 1 outputs, got 0");
  EXPECT_EQ(ecf8_model_invoke(model.get(), 99, nullptr, 0, nullptr, 0), ECF8_NOT_FOUND);
  EXPECT_EQ(ecf8_model_invoke(nullptr, 0, nullptr, 0, nullptr, 0), ECF8_INVALID_ARGUMENT);
}

TEST_F(Invoke, WrongOutputShape) {
  EXPECT_EQ(refusal("wrong_shape", {}, ECF8_CORRUPT),
            "wrong_shape: output 0: the code produced a tensor of shape [3, 2], expected f32 [2, 3]");
}

TEST_F(Invoke, Failures) {
  for (int32_t threads : {1, 4}) {
    ASSERT_EQ(ecf8_set_threads(threads), ECF8_OK);
    EXPECT_EQ(refusal("fail", {Tensor::i64(0)}, ECF8_ABORTED), "fail: assertion at model.mlir:3:4 failed");
    for (int round = 0; round < 50; ++round)
      for (int64_t where : {1, 2, 3})
        ASSERT_EQ(refusal("fail", {Tensor::i64(where)}, ECF8_ABORTED), "fail: a piece failed");
    EXPECT_EQ(refusal("fail", {Tensor::i64(4)}, ECF8_ABORTED), "fail: unknown code");
    // The model is as good as new, and memory that code leaves behind is released (LeakSanitizer).
    EXPECT_EQ(call(model.get(), "fail", {Tensor::i64(5)}).code, ECF8_OK);
    EXPECT_EQ(number("nested", {50}), 2500);
  }
  ecf8_set_threads(0);
}

TEST_F(Invoke, OutOfMemory) {
  EXPECT_EQ(number("allocate", {100}), 0);
  EXPECT_EQ(refusal("allocate", {Tensor::i64(int64_t(1) << 60)}, ECF8_OUT_OF_MEMORY),
            "allocate: cannot allocate 1152921504606846976 bytes");
  EXPECT_EQ(refusal("allocate", {Tensor::i64(-1)}, ECF8_OUT_OF_MEMORY),
            "allocate: cannot allocate 18446744073709551615 bytes");
  EXPECT_EQ(number("allocate", {0}), 0);
}

// The caller flushes denormals; the code must not see that, on any thread, and the caller must not lose it.
TEST_F(Invoke, FloatingPointState) {
  unsigned flushing = _mm_getcsr() | 0x8040;
  for (int32_t threads : {1, 4}) {
    unsigned before = _mm_getcsr();
    _mm_setcsr(flushing);
    ecf8_set_threads(threads); // the workers begin in a thread that flushes
    int64_t kept = number("denormals", {});
    refusal("fail", {Tensor::i64(0)}, ECF8_ABORTED);
    unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    EXPECT_EQ(kept, 1000);
    EXPECT_EQ(after & 0xffc0, flushing & 0xffc0);
  }
  ecf8_set_threads(0);
}
