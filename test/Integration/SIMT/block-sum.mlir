// The whole way of host and device code: gpu.launch, bitcode for NVPTX inside of the host's code, the mgpu functions of
// libECF8Simt. Each of 4 blocks adds up 256 numbers; the host adds the sums.
// REQUIRES: x86-64
// UNSUPPORTED: asan
// RUN: mlir-opt %s -pass-pipeline="builtin.module(gpu-kernel-outlining,nvvm-attach-target{chip=sm_90 O=2},gpu.module(convert-scf-to-cf,convert-gpu-to-nvvm,convert-to-llvm,reconcile-unrealized-casts),convert-scf-to-cf,gpu-to-llvm,convert-to-llvm,reconcile-unrealized-casts,gpu-module-to-binary{format=llvm})" -o %t.mlir
// RUN: mlir-runner %t.mlir -e main -entry-point-result=i32 -shared-libs=%ecf8_lib/libECF8Simt.so | FileCheck %s
// RUN: env ECF8_SIMT_CHECK=1 ECF8_SIMT_SEED=7 mlir-runner %t.mlir -e main -entry-point-result=i32 \
// RUN:   -shared-libs=%ecf8_lib/libECF8Simt.so | FileCheck %s

// 0 + 1 + ... + 1023
// CHECK: 523776

module attributes {gpu.container_module} {
  func.func @main() -> i32 {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c128 = arith.constant 128 : index
    %c256 = arith.constant 256 : index
    %c1024 = arith.constant 1024 : index
    %zero = arith.constant 0 : i32
    %host = memref.alloc() : memref<1024xi32>
    scf.for %i = %c0 to %c1024 step %c1 {
      %v = arith.index_cast %i : index to i32
      memref.store %v, %host[%i] : memref<1024xi32>
    }
    %stream = gpu.wait async
    %in, %s1 = gpu.alloc async [%stream] () : memref<1024xi32>
    %out, %s2 = gpu.alloc async [%s1] () : memref<4xi32>
    %s3 = gpu.memcpy async [%s2] %in, %host : memref<1024xi32>, memref<1024xi32>
    gpu.wait [%s3]
    gpu.launch blocks(%bx, %by, %bz) in (%gx = %c4, %gy = %c1, %gz = %c1)
               threads(%tx, %ty, %tz) in (%nx = %c256, %ny = %c1, %nz = %c1)
               workgroup(%sums : memref<256xi32, #gpu.address_space<workgroup>>) {
      %first = arith.muli %bx, %c256 : index
      %i = arith.addi %first, %tx : index
      %v = memref.load %in[%i] : memref<1024xi32>
      memref.store %v, %sums[%tx] : memref<256xi32, #gpu.address_space<workgroup>>
      gpu.barrier
      %step:1 = scf.while (%d = %c128) : (index) -> index {
        %more = arith.cmpi ugt, %d, %c0 : index
        scf.condition(%more) %d : index
      } do {
      ^bb0(%d: index):
        %active = arith.cmpi ult, %tx, %d : index
        scf.if %active {
          %j = arith.addi %tx, %d : index
          %a = memref.load %sums[%tx] : memref<256xi32, #gpu.address_space<workgroup>>
          %b = memref.load %sums[%j] : memref<256xi32, #gpu.address_space<workgroup>>
          %s = arith.addi %a, %b : i32
          memref.store %s, %sums[%tx] : memref<256xi32, #gpu.address_space<workgroup>>
        }
        gpu.barrier
        %half = arith.shrui %d, %c1 : index
        scf.yield %half : index
      }
      %isFirst = arith.cmpi eq, %tx, %c0 : index
      scf.if %isFirst {
        %s = memref.load %sums[%c0] : memref<256xi32, #gpu.address_space<workgroup>>
        memref.store %s, %out[%bx] : memref<4xi32>
      }
      gpu.terminator
    }
    %result = memref.alloc() : memref<4xi32>
    %s4 = gpu.wait async
    %s5 = gpu.memcpy async [%s4] %result, %out : memref<4xi32>, memref<4xi32>
    %s6 = gpu.dealloc async [%s5] %in : memref<1024xi32>
    %s7 = gpu.dealloc async [%s6] %out : memref<4xi32>
    gpu.wait [%s7]
    %sum = scf.for %i = %c0 to %c4 step %c1 iter_args(%acc = %zero) -> i32 {
      %v = memref.load %result[%i] : memref<4xi32>
      %next = arith.addi %acc, %v : i32
      scf.yield %next : i32
    }
    memref.dealloc %host : memref<1024xi32>
    memref.dealloc %result : memref<4xi32>
    return %sum : i32
  }
}
