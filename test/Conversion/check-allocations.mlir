// RUN: ecf8-opt %s -ecf8-check-allocations | FileCheck %s

// Twelve bytes for each pair of the two sizes; the high halves of both products are zero, and the result is small.
// CHECK-LABEL: func @dynamic(
// CHECK-SAME:    %[[M:[a-z0-9]+]]: index, %[[N:[a-z0-9]+]]: index)
// CHECK-DAG:     %[[BYTES:.*]] = arith.constant 12 : i64
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : i64
// CHECK:         %[[M64:.*]] = arith.index_cast %[[M]] : index to i64
// CHECK:         %[[LOW:.*]], %[[HIGH:.*]] = arith.mului_extended %[[BYTES]], %[[M64]]
// CHECK:         %[[FITS:.*]] = arith.cmpi eq, %[[HIGH]], %[[ZERO]]
// CHECK:         %[[N64:.*]] = arith.index_cast %[[N]] : index to i64
// CHECK:         %[[LOW2:.*]], %[[HIGH2:.*]] = arith.mului_extended %[[LOW]], %[[N64]]
// CHECK:         %[[FITS2:.*]] = arith.cmpi eq, %[[HIGH2]], %[[ZERO]]
// CHECK:         %[[BOTH:.*]] = arith.andi %[[FITS]], %[[FITS2]]
// CHECK:         %[[LIMIT:.*]] = arith.constant 72057594037927936 : i64
// CHECK:         %[[SMALL:.*]] = arith.cmpi ult, %[[LOW2]], %[[LIMIT]]
// CHECK:         %[[ALL:.*]] = arith.andi %[[BOTH]], %[[SMALL]]
// CHECK:         cf.assert %[[ALL]], "expected a tensor of less than 2^56 bytes"
// CHECK-NEXT:    memref.alloc(%[[M]], %[[N]])
func.func @dynamic(%m: index, %n: index) -> memref<?x3x?xf32> {
  %0 = memref.alloc(%m, %n) : memref<?x3x?xf32>
  return %0 : memref<?x3x?xf32>
}

// CHECK-LABEL: func @negative_static(
// CHECK-NOT:     cf.assert
// CHECK:         return
func.func @negative_static() -> memref<3xf32> {
  %0 = memref.alloc() : memref<3xf32>
  return %0 : memref<3xf32>
}
