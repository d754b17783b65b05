"""Inputs for soft-float.mlir, and the results that Python's own conversion gives."""

import random
import struct
import sys

COUNT = 4096


def values() -> list[float]:
    rng = random.Random(1)
    result = [0.0, -0.0, float("inf"), -float("inf"), 65504.0, 65519.999, 65520.0, 1e300, 2.0**-24, 2.0**-25, 1e-300]
    while len(result) < COUNT:
        low = struct.unpack("<e", struct.pack("<H", rng.randrange(0, 0x7BFF)))[0]
        high = struct.unpack("<e", struct.pack("<H", struct.unpack("<H", struct.pack("<e", low))[0] + 1))[0]
        middle = (low + high) / 2  # exact in f64: a tie
        # A distance from the tie that f32 cannot hold.
        result.append(rng.choice((-1, 1)) * (middle + rng.choice((-1, 0, 1)) * (high - low) * 2.0**-20))
    return result


def to_half(value: float) -> bytes:
    try:
        return struct.pack("<e", value)
    except OverflowError:
        return struct.pack("<e", float("inf") if value > 0 else -float("inf"))


def main(action: str, path: str) -> None:
    if action == "make":
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({COUNT},), }}"
        header = header.ljust(117) + "\n"
        with open(path, "wb") as file:
            file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
            file.write(struct.pack(f"<{COUNT}d", *values()))
        return
    with open(path, "rb") as file:
        got = file.read()[-2 * COUNT :]
    for index, value in enumerate(values()):
        if got[2 * index : 2 * index + 2] != to_half(value):
            raise SystemExit(f"{value!r}: expected {to_half(value).hex()}, got {got[2 * index : 2 * index + 2].hex()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
