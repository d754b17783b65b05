// RUN: ecf8-opt %s -ecf8-externalize-weights -split-input-file -verify-diagnostics

// expected-error@+1 {{expected a body in a function with 'ecf8.weight' arguments, got a declaration}}
func.func private @declaration(tensor<8xf32> {ecf8.weight = "w"})

// -----

// expected-error@+1 {{weight 'w': expected an argument of tensor type, before bufferization, got 'memref<8xf32>'}}
func.func @bufferized(%w: memref<8xf32> {ecf8.weight = "w"}) {
  return
}

// -----

func.func @first(%w: tensor<8xf32> {ecf8.weight = "w"}) {
  return
}
// expected-error@+1 {{weight 'w': expected type 'tensor<8xf32>' as elsewhere in the module, got 'tensor<8xf16>'}}
func.func @two_types(%w: tensor<8xf16> {ecf8.weight = "w"}) {
  return
}

// -----

ecf8.global private @g key("w") : tensor<8xf32>
// expected-error@+1 {{weight 'w': expected type 'tensor<8xf32>' as elsewhere in the module, got 'tensor<8xf16>'}}
func.func @type_of_global(%w: tensor<8xf16> {ecf8.weight = "w"}) {
  return
}

// -----

func.func private @callee(%w: tensor<8xf32> {ecf8.weight = "w"}) {
  return
}
func.func @caller_without_mark(%w: tensor<8xf32>) {
  // expected-error@+1 {{argument 0 of 'callee': expected the weight 'w', got a value that is not that weight}}
  call @callee(%w) : (tensor<8xf32>) -> ()
  return
}

// -----

func.func private @callee(%w: tensor<8xf32> {ecf8.weight = "w"}) {
  return
}
func.func @caller_other_weight(%w: tensor<8xf32> {ecf8.weight = "v"}) {
  // expected-error@+1 {{argument 0 of 'callee': expected the weight 'w', got a value that is not that weight}}
  call @callee(%w) : (tensor<8xf32>) -> ()
  return
}

// -----

func.func private @callee(%w: tensor<8xf32> {ecf8.weight = "w"}) {
  return
}
func.func @indirect() -> ((tensor<8xf32>) -> ()) {
  // expected-error@+1 {{expected direct calls alone of 'callee', which has weight arguments, got 'func.constant'}}
  %f = constant @callee : (tensor<8xf32>) -> ()
  return %f : (tensor<8xf32>) -> ()
}
