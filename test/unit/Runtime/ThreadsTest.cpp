// Loops over threads, calls from several threads, several models.
#include "TestBundle.h"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace ecf8::test;

namespace {

class Threads : public testing::Test {
protected:
  void TearDown() override { ecf8_set_threads(0); }
};

int64_t number(const EcfModel *model, const char *name, std::vector<Tensor> inputs) {
  CallResult result = call(model, name, std::move(inputs));
  EXPECT_EQ(result.code, ECF8_OK) << result.error;
  return result.code == ECF8_OK ? result.values<int64_t>()[0] : INT64_MIN;
}

} // namespace

TEST_F(Threads, Count) {
  EXPECT_EQ(ecf8_set_threads(3), ECF8_OK);
  EXPECT_EQ(ecf8_get_threads(), 3);
  EXPECT_EQ(ecf8_set_threads(-1), ECF8_INVALID_ARGUMENT);
  EXPECT_STREQ(ecf8_last_error(), "expected 0 to 1024 threads, got -1");
  EXPECT_EQ(ecf8_get_threads(), 3);
  setenv("ECF8_NUM_THREADS", "5", 1);
  ecf8_set_threads(0);
  EXPECT_EQ(ecf8_get_threads(), 5);
  unsetenv("ECF8_NUM_THREADS");
  ecf8_set_threads(0);
  EXPECT_GE(ecf8_get_threads(), 1);
}

TEST_F(Threads, PiecesCoverTheRangeOnce) {
  TestBundle bundle;
  ModelPtr model = load(bundle);
  for (int32_t threads : {1, 2, 7}) {
    ecf8_set_threads(threads);
    for (int64_t count : {0, 1, 2, 13, 64, 1000, 4097})
      for (int64_t grain : {-3, 0, 1, 5, 64, 5000})
        EXPECT_EQ(number(model.get(), "pieces", {Tensor::i64(count), Tensor::i64(grain)}), 1)
            << threads << " threads, " << count << " elements, grain " << grain;
  }
}

TEST_F(Threads, NestedLoops) {
  TestBundle bundle;
  ModelPtr model = load(bundle);
  for (int32_t threads : {1, 2, 8}) {
    ecf8_set_threads(threads);
    for (int64_t n : {1, 10, 200})
      EXPECT_EQ(number(model.get(), "nested", {Tensor::i64(n)}), n * n);
  }
}

// Good and failing calls of two models from many threads, while the size of the pool changes.
TEST_F(Threads, ConcurrentCalls) {
  TestBundle bundleA, bundleB;
  ModelPtr a = load(bundleA), b = load(bundleB);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller)
    callers.emplace_back([&, caller] {
      const EcfModel *model = (caller % 2 ? a : b).get();
      for (int round = 0; round < 40; ++round) {
        float value = static_cast<float>(caller * 100 + round);
        CallResult scaled = call(model, "scale", {Tensor::f32({64, 4}, std::vector<float>(256, value))});
        ASSERT_EQ(scaled.code, ECF8_OK);
        EXPECT_EQ(scaled.values<float>()[255], value * 4);
        if (round % 3 == 0)
          EXPECT_EQ(call(model, "fail", {Tensor::i64(2)}).error, "fail: a piece failed");
        else
          EXPECT_EQ(number(model, "nested", {Tensor::i64(30)}), 900);
      }
    });
  for (int round = 0; round < 20; ++round) {
    ecf8_set_threads(1 + round % 5);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  for (std::thread &caller : callers)
    caller.join();
}

// Errors belong to the thread that made them.
TEST_F(Threads, LastErrorIsPerThread) {
  ASSERT_EQ(ecf8_bundle_verify("/no/such"), ECF8_NOT_FOUND);
  std::thread([] {
    EXPECT_STREQ(ecf8_last_error(), "");
    EXPECT_EQ(ecf8_set_threads(-5), ECF8_INVALID_ARGUMENT);
  }).join();
  EXPECT_STREQ(ecf8_last_error(), "/no/such/manifest.json: cannot open: No such file or directory");
}

TEST_F(Threads, AfterFork) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "ThreadSanitizer does not support threads after a fork";
#endif
#endif
  TestBundle bundle;
  ModelPtr model = load(bundle);
  ecf8_set_threads(4);
  EXPECT_EQ(number(model.get(), "nested", {Tensor::i64(50)}), 2500);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(ecf8_get_threads() == 4 && number(model.get(), "nested", {Tensor::i64(50)}) == 2500 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}
