// The decoders that benchmarks/decode/run.py times, each called `times` times in a row.
module {
  func.func private @to_rows(memref<?xi8>, memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, index, index)
      attributes {ecf8.decoder = !ecf8.compressed<32x32xf8E4M3FN, ENCODING>}
  func.func private @to_tiles(memref<?xi8>, memref<?xi8>, index, index)
      attributes {ecf8.decoder = !ecf8.compressed<32x32xf8E4M3FN, ENCODING>}

  func.func @rows(%payload: memref<?xi8>, %out: memref<?x?xf8E4M3FN>, %times: index)
      attributes {llvm.emit_c_interface} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %matrix = memref.cast %out : memref<?x?xf8E4M3FN> to memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>
    scf.for %i = %c0 to %times step %c1 {
      func.call @to_rows(%payload, %matrix, %c0, %c0)
          : (memref<?xi8>, memref<?x?xf8E4M3FN, strided<[?, 1], offset: ?>>, index, index) -> ()
    }
    return
  }

  func.func @tiles(%payload: memref<?xi8>, %out: memref<?xi8>, %times: index) attributes {llvm.emit_c_interface} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %i = %c0 to %times step %c1 {
      func.call @to_tiles(%payload, %out, %c0, %c0) : (memref<?xi8>, memref<?xi8>, index, index) -> ()
    }
    return
  }
}
