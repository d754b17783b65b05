"""Writes a small safetensors file with reproducible content, with the standard library alone.

    make_safetensors.py out.safetensors layer.weight=F8_E4M3[64,128] bias=F32[64]

FP8 tensors hold rounded normal numbers, which compress; others hold small integers and halves, exact in every type.
"""

import json
import random
import re
import struct
import sys

EXPONENT_BITS = {"F8_E4M3": 4, "F8_E5M2": 5}
PLAIN = {"F32": "f", "F64": "d", "F16": "e", "I64": "q", "I32": "i", "U8": "B", "I8": "b"}


def fp8(value: float, exponent_bits: int) -> int:
    """Nearest code of `value`; saturates. Ties go up: the choice does not matter here."""
    mantissa_bits = 7 - exponent_bits
    bias = (1 << (exponent_bits - 1)) - 1

    def decode(code: int) -> float:
        exponent, mantissa = code >> mantissa_bits, code & ((1 << mantissa_bits) - 1)
        if exponent == 0:
            return mantissa * 2.0 ** (1 - bias - mantissa_bits)
        return (1 + mantissa / 2**mantissa_bits) * 2.0 ** (exponent - bias)

    finite = 126 if exponent_bits == 4 else 123
    low, high = 0, finite
    while low < high:
        middle = (low + high) // 2
        if decode(middle) < abs(value):
            low = middle + 1
        else:
            high = middle
    if low > 0 and abs(value) - decode(low - 1) < decode(low) - abs(value):
        low -= 1
    return low | (0x80 if value < 0 else 0)


def tensor_bytes(dtype: str, count: int, rng: random.Random) -> bytes:
    if dtype in EXPONENT_BITS:
        return bytes(fp8(rng.gauss(0, 0.05), EXPONENT_BITS[dtype]) for _ in range(count))
    if dtype == "BF16":
        return b"".join(struct.pack("<f", rng.randint(-8, 8))[2:] for _ in range(count))
    values = [rng.randint(0, 8) for _ in range(count)]
    return struct.pack(f"<{count}{PLAIN[dtype]}", *values)


def main(path: str, *tensors: str) -> None:
    header: dict[str, object] = {}
    data = b""
    for text in tensors:
        match = re.fullmatch(r"(.+)=([A-Z0-9_]+)\[([\d,]*)\]", text)
        if not match:
            raise SystemExit(f"expected name=DTYPE[dims], got '{text}'")
        name, dtype, dims = match.groups()
        shape = [int(dim) for dim in dims.split(",") if dim]
        count = 1
        for dim in shape:
            count *= dim
        content = tensor_bytes(dtype, count, random.Random(name))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


if __name__ == "__main__":
    main(*sys.argv[1:])
