// RUN: not ecf8-opt %s -ecf8-emit-gpu-kernels=arch=sm_70 2>&1 | FileCheck %s
// CHECK: error: expected a GPU architecture (sm_80, sm_89, sm_90, sm_90a, sm_100), got 'sm_70'
module {}
