"""Prints a module of `ecf8.constant`s, each with a payload header that contradicts its type in one field."""

import struct

TYPE = "!ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw>"
HUFFMAN = "!ecf8.compressed<1x16xf8E4M3FN, #ecf8.huffman>"
ROWS32 = "!ecf8.compressed<1x16xf8E4M3FN, #ecf8.raw<order = rows32, tile_columns = 16>>"
QUADS = (
    "!ecf8.compressed<1x16xf8E4M3FN, #ecf8.huffman<group = 4, raw_exponent_bits = 2, max_code_length = 11, "
    "stream = segments, order = mma, tile_columns = 128>>"
)
PLANES = "!ecf8.compressed<1x16xf8E4M3FN, #ecf8.planes<tile_columns = 16>>"
EXPECTED = "expected the payload's {} (byte {}) to be {}, got {}"


def header() -> bytearray:
    data = bytearray(256)
    data[0:8] = b"ECF8" + struct.pack("<BBH", 1, 0, 192)
    struct.pack_into("<Q", data, 16, 256)
    data[44] = 2
    struct.pack_into("<QQQ", data, 64, 1, 16, 192)
    struct.pack_into("<QQ", data, 128, 1, 16)
    return data


def case(offset: int, code: str, *values: int) -> bytearray:
    data = header()
    struct.pack_into(code, data, offset, *values)
    return data


def quads(offset: int, value: int) -> bytearray:
    data = case(40, "<8BI", 0, 1, 2, 2, 2, 4, 2, 11, 128)
    data[offset] = value
    return data


CASES = [
    ("valid", header(), TYPE, None),
    ("short", header()[:200], TYPE, "expected a resource of 256 bytes, got 200"),
    ("magic", case(0, "<I", 0), TYPE, "expected a payload that begins with 'ECF8'"),
    ("major", case(4, "<B", 2), TYPE, EXPECTED.format("major version", 4, 1, 2)),
    ("element", case(40, "<B", 1), TYPE, EXPECTED.format("element type", 40, 0, 1)),
    ("encoding", header(), HUFFMAN, EXPECTED.format("encoding", 41, 1, 0)),
    ("planes", case(41, "<BB", 0, 1), PLANES, EXPECTED.format("encoding", 41, 2, 0)),
    ("no_planes", case(41, "<BB", 2, 1), ROWS32, EXPECTED.format("encoding", 41, 0, 2)),
    ("order", header(), ROWS32, EXPECTED.format("order", 42, 1, 0)),
    ("rank", case(44, "<B", 1), TYPE, EXPECTED.format("rank", 44, 2, 1)),
    ("limit", case(47, "<B", 8), TYPE, EXPECTED.format("code length limit", 47, 0, 8)),
    ("stream", case(41, "<BBB", 1, 2, 1), QUADS, EXPECTED.format("stream", 43, 2, 1)),
    ("group", quads(45, 2), QUADS, EXPECTED.format("group", 45, 4, 2)),
    ("raw_bits", quads(46, 3), QUADS, EXPECTED.format("raw exponent bits", 46, 2, 3)),
    ("quads", quads(47, 11), QUADS, None),
    ("columns", case(48, "<I", 16), TYPE, EXPECTED.format("tile columns", 48, 0, 16)),
    ("dim0", case(128, "<Q", 2), TYPE, EXPECTED.format("dimension 0", 128, 1, 2)),
    ("dim1", case(136, "<Q", 17), TYPE, EXPECTED.format("dimension 1", 136, 16, 17)),
]

for name, data, type_, message in CASES:
    print(f"func.func @{name}() {{")
    if message:
        print(f"  // expected-error@+1 {{{{{message}}}}}")
    print(f"  %c = ecf8.constant dense_resource<{name}> : tensor<256xi8> : {type_}\n  return\n}}")
    print("{-#\n  dialect_resources: {\n    builtin: {")
    print(f'      {name}: "0x{(struct.pack("<I", 16) + bytes(data)).hex().upper()}"\n    }}\n  }}\n#-}}\n\n// -----\n')
