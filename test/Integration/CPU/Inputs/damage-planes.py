"""Damages payloads of planes in a bundle and runs the code of every instruction set that this machine has on them,
without checksums: damage-planes.py FOLDER. A run ends with wrong values, or with the expected error. [codes_c7]"""

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import safetensors.numpy
from levels import available_levels

TYPES = {"f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E5M2": ml_dtypes.float8_e5m2}
ROWS, COLUMNS = 70, 1100
# Offsets in the payload's header: docs/Format.md, section 4.
TABLE_OFFSET, CODES_OFFSET, REST_OFFSET, RANKS = 88, 96, 80, 112


def offset(payload: bytearray, field: int) -> int:
    return struct.unpack_from("<Q", payload, field)[0]


def fill(payload: bytearray, begin: int, end: int) -> None:
    payload[begin:end] = b"\xff" * (end - begin)


def counts(payload: bytearray) -> None:
    """The largest G and n3 in all tiles: both are clamped."""
    codes, table = offset(payload, CODES_OFFSET), offset(payload, TABLE_OFFSET)
    for tile in range(-(-ROWS // 32) * -(-COLUMNS // 1024)):
        fill(payload, begin := codes + 2 * struct.unpack_from("<I", payload, table + 4 * tile)[0], begin + 4)


# What is damaged, and the error that is expected; without one, any values will do.
DAMAGE: dict[str, tuple[Callable[[bytearray], None], str]] = {
    "counts": (counts, ""),
    "tile table": (lambda p: fill(p, offset(p, TABLE_OFFSET), offset(p, CODES_OFFSET)), ""),
    "all codes": (lambda p: fill(p, offset(p, CODES_OFFSET), offset(p, REST_OFFSET)), ""),
    "all escapes": (lambda p: fill(p, offset(p, CODES_OFFSET), len(p)), ""),
    "no ranks": (lambda p: struct.pack_into("<QQ", p, RANKS, 0, 0), ""),
    "rank twice": (lambda p: struct.pack_into("<QQ", p, RANKS, 0x111, 0), "expected different ranks without gaps"),
    "rank 6": (lambda p: struct.pack_into("<QQ", p, RANKS, 0x7654321, 0), "expected different ranks without gaps"),
    "gap": (lambda p: struct.pack_into("<QQ", p, RANKS, 0x31, 0), "expected different ranks without gaps"),
    "units outside": (lambda p: struct.pack_into("<Q", p, REST_OFFSET, len(p) - 64), "expected the sections"),
    "codes outside": (lambda p: struct.pack_into("<Q", p, CODES_OFFSET, len(p) + 64), "expected the sections"),
    "table outside": (lambda p: struct.pack_into("<Q", p, TABLE_OFFSET, len(p)), "expected the sections"),
    "huffman": (lambda p: p.__setitem__(41, 1), "expected a payload encoded as #ecf8.planes"),
}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(5).standard_normal((ROWS, COLUMNS)).astype(np.float32) * 100
    functions = []
    for name in TYPES:
        tensor = f"tensor<{ROWS}x{COLUMNS}x{name}>"
        functions.append(f'func.func @{name}(%w: {tensor} {{ecf8.weight = "{name}"}}) -> {tensor} {{')
        functions.append(f"  return %w : {tensor}\n}}")
    (folder / "program.mlir").write_text("\n".join(functions) + "\n")
    weights = {name: values.clip(-448, 448).astype(dtype) for name, dtype in TYPES.items()}
    safetensors.numpy.save_file(weights, folder / "plain.safetensors")
    bundle = folder / "planes.ecf8"
    command = ["ecf8-compile", folder / "program.mlir", "--weights", folder / "plain.safetensors", "-q"]
    # The largest tiles: they take the whole of a decoder's buffers.
    subprocess.run([*command, "--codec=planes", "--tile-columns=1024", "-o", bundle], check=True)

    levels = available_levels()
    stored = bundle / "weights.safetensors"
    intact = stored.read_bytes()
    header_bytes = struct.unpack_from("<Q", intact)[0]
    tensors = json.loads(intact[8 : 8 + header_bytes])
    runs = 0
    for name in TYPES:
        begin, end = (8 + header_bytes + at for at in tensors[name]["data_offsets"])
        for what, (damage, expected) in DAMAGE.items():
            payload = bytearray(intact[begin:end])
            damage(payload)
            stored.write_bytes(intact[:begin] + payload + intact[end:])
            for level in levels:
                command = ["ecf8-run", bundle, f"--cpu={level}", f"--function={name}", "--skip-weight-checksums"]
                result = subprocess.run([*command, f"--output=@{folder / 'out.npy'}"], capture_output=True, text=True)
                if result.returncode != (3 if expected else 0) or expected not in result.stderr:
                    sys.exit(f"{level} {name}, {what}: status {result.returncode}: {result.stderr}")
                runs += 1
    print(f"{runs} damaged payloads on {', '.join(levels)}")


if __name__ == "__main__":
    main()
