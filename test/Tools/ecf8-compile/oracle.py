"""Computes stages.mlir's result for an input of 0.5 in plain Python, from the uncompressed file, and compares bytes."""

import json
import struct
import sys


def decode_e4m3(code: int) -> float:
    sign = -1.0 if code & 0x80 else 1.0
    exponent, mantissa = code >> 3 & 15, code & 7
    return sign * (mantissa * 2.0**-9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10))


def main(weights_path: str, result_path: str) -> None:
    with open(weights_path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    begin, end = header["layer.weight"]["data_offsets"]
    weight = [decode_e4m3(code) for code in data[begin:end]]
    begin, end = header["bias"]["data_offsets"]
    bias = struct.unpack("<64f", data[begin:end])
    # Multiples of 2^-10 below 2^6: every partial sum is exact in f32, in any order.
    row = [bias[n] + sum(0.5 * value for value in weight[n * 128 : (n + 1) * 128]) for n in range(64)]
    expected = struct.pack("<256f", *(row * 4))
    with open(result_path, "rb") as file:
        content = file.read()
    if content[-len(expected) :] != expected:
        raise SystemExit(f"{result_path}: expected {row[:4]} ..., got {struct.unpack('<4f', content[-1024:-1008])} ...")


if __name__ == "__main__":
    main(*sys.argv[1:])
