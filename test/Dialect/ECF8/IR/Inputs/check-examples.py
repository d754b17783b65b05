"""Prints the examples of the dialect's TableGen files as functions of one module, so that they can be parsed.

Values that an example uses but does not define become arguments; globals and the resource are given here.
"""

import re
import sys
from pathlib import Path

HUFFMAN = "!ecf8.compressed<64x128xf8E4M3FN, #ecf8.huffman>"
ARGUMENTS = {
    "c": HUFFMAN,
    "m": "memref<64x128xf8E4M3FN>",
    "n": "memref<32x128xf8E4M3FN>",
    "row": "index",
    "e": "index",
    "experts": "!ecf8.compressed<8x64x128xf8E4M3FN, #ecf8.huffman>",
    "x": "tensor<?x128xf32>",
    "s": "tensor<64x1xf32>",
    "acc": "tensor<?x64xf32>",
    "out": "tensor<?x64xbf16>",
    "bias": "tensor<1x64xf32>",
    "w": "tensor<64x128xf8E4M3FN>",
}

examples = []
for path in sys.argv[1:]:
    examples += re.findall(r"```mlir\n(.*?)```", Path(path).read_text(), re.DOTALL)
if not examples:
    sys.exit("expected examples, got none")

for index, example in enumerate(examples):
    print(f"module @example_{index} {{")
    for symbol, type_ in re.findall(r"ecf8\.global\.load @(\w+) : (.*)", example):
        print(f'  ecf8.global private @{symbol} key("{symbol}") : {type_}')
    if re.search(r"^\s*(func|ecf8\.global\s+private)", example, re.MULTILINE):
        print(example + "}\n// -----")
        continue
    defined = set(re.findall(r"%(\w+)(?: =|: )", example))
    used = [name for name in dict.fromkeys(re.findall(r"%(\w+)", example)) if name not in defined]
    if "ecf8.encode %w" in example:
        used = ["w"]
    arguments = ", ".join(f"%{name}: {ARGUMENTS[name]}" for name in used)
    print(f"  func.func @f({arguments}) {{\n{example}    return\n  }}\n}}\n// -----")
print(f"// {len(examples)} examples")
