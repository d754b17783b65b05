// Speed of the simulator: barriers, plain instructions, matrix instructions, with and without checks. Prints JSON.
//
//   ecf8-bench-simt [WORKERS]      operating system threads; one if it is left out
//
// All kernels run in turn in each round; a figure is that of the fastest round, and the median stands beside it. An
// instruction is one of LLVM IR in the inner loop, and counts once per thread; what stands around the loop is not
// counted.
#include "ecf8/Simt/Simt.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using namespace ecf8;

namespace {

using Json = nlohmann::ordered_json;

constexpr int rounds = 9;

/// The loop of each thread; %i counts, %v is carried.
struct Workload {
  const char *name;
  const char *body;
  unsigned instructions; ///< in the loop, with its own phis, addition, comparison and branch
  uint32_t blocks, threads, iterations;
};

const Workload workloads[] = {
    {"barriers", "  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)\n  %w = add i32 %v, 1\n", 7, 1, 256, 1000},
    {"warpShuffles",
     "  %s = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %v, i32 1, i32 31)\n  %w = add i32 %s, 1\n", 7, 1, 256,
     1000},
    {"plain", R"(
  %a = shl i32 %v, 5
  %b = xor i32 %a, %v
  %index = and i32 %b, 1023
  %place = getelementptr i32, ptr addrspace(3) @table, i32 %index
  %e = load i32, ptr addrspace(3) %place
  %f = lshr i32 %e, 3
  %g = add i32 %f, %b
  %w = xor i32 %g, %i
)",
     13, 8, 256, 2000},
    {"matrix", R"(
  %f = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %row)
  %f0 = extractvalue { i32, i32, i32, i32 } %f, 0
  %f1 = extractvalue { i32, i32, i32, i32 } %f, 1
  %f2 = extractvalue { i32, i32, i32, i32 } %f, 2
  %f3 = extractvalue { i32, i32, i32, i32 } %f, 3
  %d = call { float, float, float, float } @llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32(i32 %f0, i32 %f1, i32 %f2, i32 %f3, i32 %f0, i32 %f1, float 0.0, float 0.0, float 0.0, float 0.0)
  %d0 = extractvalue { float, float, float, float } %d, 0
  %w0 = bitcast float %d0 to i32
  %w = xor i32 %w0, %v
)",
     14, 4, 256, 250},
};

std::string kernelText(const Workload &workload) {
  return std::string(R"(
@table = internal addrspace(3) global [1024 x i32] undef, align 16
define ptx_kernel void @k(ptr addrspace(1) %out, i32 %n) {
entry:
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  br label %fill
fill:
  %j = phi i32 [ 0, %entry ], [ %j1, %fill ]
  %j256 = mul i32 %j, 256
  %at = add i32 %j256, %t
  %entry.place = getelementptr i32, ptr addrspace(3) @table, i32 %at
  store i32 %at, ptr addrspace(3) %entry.place
  %j1 = add i32 %j, 1
  %filled = icmp eq i32 %j1, 4
  br i1 %filled, label %begin, label %fill
begin:
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  %rowIndex = mul i32 %t, 4
  %row = getelementptr i32, ptr addrspace(3) @table, i32 %rowIndex
  br label %loop
loop:
  %i = phi i32 [ 0, %begin ], [ %i1, %loop ]
  %v = phi i32 [ %t, %begin ], [ %w, %loop ]
)") + workload.body +
         R"(
  %i1 = add i32 %i, 1
  %done = icmp eq i32 %i1, %n
  br i1 %done, label %end, label %loop
end:
  %place2 = getelementptr i32, ptr addrspace(1) %out, i32 %t
  store i32 %w, ptr addrspace(1) %place2
  ret void
}
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32(i32, i32, i32, i32, i32, i32, float, float, float, float)
)";
}

[[noreturn]] void fail(const std::string &message) {
  std::fprintf(stderr, "ecf8-bench-simt: %s\n", message.c_str());
  std::exit(1);
}

struct Measurement {
  const Workload *workload;
  bool check;
  simt::Module module;
  simt::Kernel kernel;
  double loadSeconds;
  std::vector<double> seconds = {};
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

} // namespace

int main(int argc, char **argv) {
  int workers = argc > 1 ? std::atoi(argv[1]) : 1;
  if (argc > 2 || workers < 1)
    fail("expected at most one argument, a number of workers from 1 on");
  std::vector<Measurement> measurements;
  for (const Workload &workload : workloads)
    for (bool check : {false, true}) {
      double start = now();
      Result<simt::Module> module = simt::Module::load(kernelText(workload), {check, workload.name});
      if (!module)
        fail(module.status().message());
      double seconds = now() - start;
      Result<simt::Kernel> kernel = module->kernel("k");
      if (!kernel)
        fail(kernel.status().message());
      measurements.push_back({&workload, check, module.take(), *kernel, seconds});
    }
  void *out = simt::allocate(4096);
  for (int round = 0; round < rounds; ++round)
    for (Measurement &m : measurements) {
      uint32_t iterations = m.workload->iterations;
      void *parameters[] = {&out, &iterations};
      simt::LaunchOptions options;
      options.numWorkers = unsigned(workers);
      double start = now();
      Status status =
          simt::launch(m.kernel, {m.workload->blocks, 1, 1}, {m.workload->threads, 1, 1}, 0, parameters, 2, options);
      m.seconds.push_back(now() - start);
      if (!status.isOk())
        fail(status.message());
    }
  Json report = {{"workers", workers}, {"rounds", rounds}, {"workloads", Json::array()}};
  for (const Measurement &m : measurements) {
    const Workload &w = *m.workload;
    double threadIterations = double(w.blocks) * w.threads * w.iterations,
           seconds = *std::min_element(m.seconds.begin(), m.seconds.end());
    report["workloads"].push_back(
        {{"name", w.name},
         {"check", m.check},
         {"blocks", w.blocks},
         {"threads", w.threads},
         {"iterations", w.iterations},
         {"loadMilliseconds", m.loadSeconds * 1e3},
         {"milliseconds", seconds * 1e3},
         {"nanosecondsPerThreadAndIteration", seconds * 1e9 / threadIterations},
         {"gigaThreadInstructionsPerSecond", threadIterations * w.instructions / seconds / 1e9}});
  }
  std::printf("%s\n", report.dump(2).c_str());
  return simt::release(out).isOk() ? 0 : 1;
}
