// RUN: ecf8-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{expected exactly one of 'key' and 'value', got neither}}
ecf8.global @global_c1_neither : tensor<4xf32>

// -----

// expected-error@+1 {{expected exactly one of 'key' and 'value', got both}}
ecf8.global @global_c1_both key("a") value(dense<1.0> : tensor<4xf32>) : tensor<4xf32>

// -----

// expected-error@+1 {{expected a ranked tensor of static shape or a compressed type, got 'tensor<?xf32>'}}
ecf8.global @global_c2 key("a") : tensor<?xf32>

// -----

// expected-error@+1 {{expected less than 2^56 elements, got 'tensor<4294967296x4294967296xf8E4M3FN>'}}
ecf8.global @global_c2_huge key("a") : tensor<4294967296x4294967296xf8E4M3FN>

// -----

// expected-error@+1 {{expected less than 2^56 elements, got 'tensor<268435456x268435456xf32>'}}
ecf8.global @global_c2_splat value(dense<1.0> : tensor<268435456x268435456xf32>) : tensor<268435456x268435456xf32>

// -----

// expected-error@+1 {{expected a value of type 'tensor<5xf32>', got 'tensor<4xf32>'}}
ecf8.global @global_c3 value(dense<1.0> : tensor<4xf32>) : tensor<5xf32>

// -----

// expected-error@+1 {{expected a payload of type 'tensor<Nxi8>', got 'tensor<256xi16>'}}
ecf8.global @global_c3_payload value(dense<0> : tensor<256xi16>) : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>

// -----

// expected-error@+1 {{expected a key that is not empty}}
ecf8.global @global_c4 key("") : tensor<4xf32>

// -----

func.func private @not_a_global()
func.func @load_c1() {
  // expected-error@+1 {{expected the symbol of an 'ecf8.global', got @not_a_global}}
  %0 = ecf8.global.load @not_a_global : tensor<4xf32>
  return
}

// -----

ecf8.global @w key("w") : tensor<4xf32>
func.func @load_c2() {
  // expected-error@+1 {{expected the type of @w, 'tensor<4xf32>', got 'tensor<5xf32>'}}
  %0 = ecf8.global.load @w : tensor<5xf32>
  return
}

// -----

ecf8.global @w key("w") : tensor<4xf32>
func.func @load_c2_layout() {
  // expected-error@+1 {{expected the type of @w, 'tensor<4xf32>', got 'memref<4xf32, strided<[2]>>'}}
  %0 = ecf8.global.load @w : memref<4xf32, strided<[2]>>
  return
}

// -----

func.func @constant_c1() {
  // expected-error@+1 {{expected a payload of type 'tensor<Nxi8>', got 'tensor<16x16xi8>'}}
  %0 = ecf8.constant dense<0> : tensor<16x16xi8> : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>
  return
}

// -----

func.func @constant_c2_multiple() {
  // expected-error@+1 {{expected a payload of a multiple of 64 bytes and 192 at least, got 200}}
  %0 = ecf8.constant dense<0> : tensor<200xi8> : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>
  return
}

// -----

func.func @constant_c2_short() {
  // expected-error@+1 {{expected a payload of a multiple of 64 bytes and 192 at least, got 128}}
  %0 = ecf8.constant dense<0> : tensor<128xi8> : !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>
  return
}

// -----

func.func @encode_c1(%t: tensor<4xf8E5M2>) {
  // expected-error@+1 {{failed to verify that source is the decoded type of the result}}
  %0 = "ecf8.encode"(%t) : (tensor<4xf8E5M2>) -> !ecf8.compressed<4xf8E4M3FN, #ecf8.raw>
  return
}

// -----

// expected-error@+1 {{argument 0: expected 'ecf8.weight' to be the weight's name, a string that is not empty, got 1 : i64}}
func.func @weight_c1(%w: tensor<4xf8E4M3FN> {ecf8.weight = 1}) {
  return
}

// -----

// expected-error@+1 {{argument 1: expected 'ecf8.weight' to be the weight's name, a string that is not empty, got ""}}
func.func @weight_c1_empty(%x: i1, %w: tensor<4xf8E4M3FN> {ecf8.weight = ""}) {
  return
}

// -----

// expected-error@+1 {{argument 0: expected 'ecf8.weight' on a tensor of static shape, got 'tensor<?xf8E4M3FN>'}}
func.func @weight_c2_dynamic(%w: tensor<?xf8E4M3FN> {ecf8.weight = "w"}) {
  return
}

// -----

// expected-error@+1 {{argument 0: expected 'ecf8.weight' on a tensor of static shape, got 'f32'}}
func.func @weight_c2_scalar(%w: f32 {ecf8.weight = "w"}) {
  return
}

// -----

// expected-error@+1 {{argument 0: expected the attribute 'ecf8.weight', got 'ecf8.weights'}}
func.func @misspelt(%w: tensor<4xf8E4M3FN> {ecf8.weights = "w"}) {
  return
}

// -----

// expected-error@+1 {{expected 'ecf8.weight' on a function argument, got it on an operation}}
func.func @misplaced() attributes {ecf8.weight = "w"} {
  return
}

// -----

// expected-error@+1 {{expected 'ecf8.decoder' to be a compressed type, got i32}}
func.func private @decoder_c1() attributes {ecf8.decoder = i32}

// -----

// expected-error@+1 {{expected 'ecf8.transposed' without a value, beside a key, for a type of two or three dimensions, got 'tensor<64xf32>'}}
ecf8.global private @global_c5_rank key("w") attributes {ecf8.transposed} : tensor<64xf32>

// -----

// expected-error@+1 {{expected 'ecf8.transposed' without a value, beside a key, for a type of two or three dimensions, got 'tensor<2x2xf32>'}}
ecf8.global private @global_c5_value value(dense<1.0> : tensor<2x2xf32>) attributes {ecf8.transposed} : tensor<2x2xf32>

// -----

// expected-error@+1 {{expected 'ecf8.transposed' without a value, beside a key, for a type of two or three dimensions, got 'tensor<2x2xf32>'}}
ecf8.global private @global_c5_false key("w") attributes {ecf8.transposed = false} : tensor<2x2xf32>
