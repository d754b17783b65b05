#!/usr/bin/env python3
"""Checks what the quickstart left behind: the report's keys and claims, the bundles, the picture.

Prints `ok: ...` and `failed: ...` lines.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEYS = (
    "fp8_bytes", "compressed_bytes", "total_bytes_raw", "total_bytes_compressed", "bits_per_weight",
    "entropy_bits_per_weight", "bit_exact", "max_abs_diff_torch", "ms_torch", "ms_raw", "ms_compressed",
)  # fmt: skip
# Bits per weight above the entropy bound that tensors of at most 0.6 M weights may take as planes, metadata included.
MAX_OVERHEAD_BITS = 0.2
# The compiled model and torch sum in different orders; embeddings are unit vectors.
MAX_DIFFERENCE = 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "quickstart", help="the quickstart's folder")
    folder = parser.parse_args().output

    results: list[tuple[str, bool]] = []
    expect = lambda claim, holds: results.append((claim, bool(holds)))
    path = folder / "report.json"
    report = json.loads(path.read_text()) if path.is_file() else {}
    missing = [key for key in KEYS if key not in report]
    expect(f"report.json has its keys (missing: {missing})" if missing else "report.json has its keys", not missing)
    if not missing:
        overhead = report["bits_per_weight"] - report["entropy_bits_per_weight"]
        difference = report["max_abs_diff_torch"]
        expect("outputs are the same bytes as without compression", report["bit_exact"] is True)
        expect("compression saves bytes of the FP8 weights", report["compressed_bytes"] < report["fp8_bytes"])
        expect("compression saves bytes of the model", report["total_bytes_compressed"] < report["total_bytes_raw"])
        expect(f"{overhead:.3f} b/w over the entropy bound, at most {MAX_OVERHEAD_BITS}", overhead <= MAX_OVERHEAD_BITS)
        expect(f"difference to torch {difference:.1e}, at most {MAX_DIFFERENCE}", 0 <= difference <= MAX_DIFFERENCE)
        expect("times were measured", all(report[key] > 0 for key in ("ms_torch", "ms_raw", "ms_compressed")))
    for name in ("raw.ecf8/manifest.json", "compressed.ecf8/manifest.json", "exponents.png"):
        expect(f"{name} was written", (folder / name).is_file() and (folder / name).stat().st_size > 0)

    for claim, holds in results:
        print(f"{'ok' if holds else 'failed'}: {claim}")
    return 0 if all(holds for _, holds in results) else 1


if __name__ == "__main__":
    sys.exit(main())
