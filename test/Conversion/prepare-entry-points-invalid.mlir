// RUN: ecf8-opt %s -ecf8-prepare-entry-points -split-input-file -verify-diagnostics

// expected-error @below {{expected tensors and scalars at the boundary of a public function, got argument 1 of type 'tensor<*xf32>'}}
func.func @unranked(%a: tensor<4xf32>, %b: tensor<*xf32>) {
  return
}

// -----

// expected-error @below {{expected tensors and scalars at the boundary of a public function, got argument 0 of type 'tensor<4xf32, "sparse">'}}
func.func @encoding(%a: tensor<4xf32, "sparse">) {
  return
}

// -----

// expected-error @below {{got argument 0 of type 'memref<4xf32, strided<[2]>>'}}
func.func @strided(%a: memref<4xf32, strided<[2]>>) {
  return
}

// -----

// expected-error @below {{got argument 0 of type 'vector<4xf32>'}}
func.func @vector(%a: vector<4xf32>) {
  return
}

// -----

// expected-error @below {{got argument 0 of type 'tensor<4xcomplex<f32>>'}}
func.func @complex(%a: tensor<4xcomplex<f32>>) {
  return
}

// -----

func.func private @payload() -> !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>
// expected-error @below {{expected tensors and scalars at the boundary of a public function, got result 1 of type '!ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>'}}
func.func @compressed(%f: f32) -> (f32, !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>) {
  %c = call @payload() : () -> !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>
  return %f, %c : f32, !ecf8.compressed<4x8xf8E4M3FN, #ecf8.raw>
}

// -----

// All are reported at once.
// expected-error @below {{got argument 0 of type 'tensor<*xf32>'}}
func.func @unranked(%a: tensor<*xf32>) {
  return
}
// expected-error @below {{got argument 0 of type 'vector<2xi8>'}}
func.func @vector(%a: vector<2xi8>) {
  return
}

// -----

// Private functions may have any type, and no body.
func.func private @negative_declaration(vector<4xf32>)
func.func private @negative_types(%a: tensor<*xf32>) {
  return
}

// -----

// Sizes whose product is no number of 64 bits, in a signature, inside a function, and where others are not known.
// expected-error @below {{expected tensors of less than 2^56 elements, got 'tensor<4294967296x4294967296xf8E4M3FN>'}}
func.func @argument(%a: tensor<4294967296x4294967296xf8E4M3FN>) {
  return
}

// -----

func.func @inside(%a: f32, %m: index) {
  // expected-error @below {{expected tensors of less than 2^56 elements, got 'tensor<?x268435456x268435456xf32>'}}
  %0 = tensor.splat %a[%m] : tensor<?x268435456x268435456xf32>
  return
}

// -----

func.func private @negative_empty(%a: tensor<0x4294967296xf32>, %b: tensor<268435456x268435455xf32>) {
  return
}
