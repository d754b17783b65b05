"""Takes a trained sentence-embedding model, quantizes it to FP8, compiles it plain and compressed, and compares."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ecf8

ENTROPY_TOLERANCE = 1e-6


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ecf8.quickstart", description=__doc__)
    parser.add_argument("--output", type=Path, default=_default_output(), help="folder for report, bundles and picture")
    parser.add_argument("--seconds", type=float, default=4.0, help="time to spend on measuring times (default: 4)")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        report, text = run(options.output, options.seconds)
    except ecf8.Error as error:
        print(f"quickstart: error: {error}", file=sys.stderr)
        return 1
    (options.output / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(text)
    print(f"\nwritten to {options.output}: report.json, exponents.png, raw.ecf8/, compressed.ecf8/")
    if not report["bit_exact"]:
        print("quickstart: error: expected the same bytes with compressed and plain weights", file=sys.stderr)
        return 1
    return 0


def run(folder: Path, seconds: float) -> tuple[dict[str, Any], str]:
    """Does the work; returns the report and the text to show."""
    say("loading torch, torch-mlir and the model")
    import torch

    from . import _embedding, _measure, _report

    original = _embedding.load_model()
    say("quantizing its linear layers to FP8 E4M3, one scale for each output channel (the lossy step)")
    model = ecf8.quantize.quantize_linears(original)
    texts = [_embedding.QUERY, *_embedding.SENTENCES]
    singles = [_embedding.tokenize([text]) for text in texts]
    batch = _embedding.tokenize(texts)

    say("importing it")
    start = time.perf_counter()
    compiled = {}
    with tempfile.TemporaryDirectory(prefix="ecf8-quickstart-") as work:
        exported = ecf8.export_mlir(model, batch, work, dynamic_shapes=_embedding.dynamic_shapes())
        seconds_of = {"import": time.perf_counter() - start}
        for name, codec in (("raw", "raw"), ("compressed", "auto")):
            say(f"compiling it with --codec={codec}")
            start = time.perf_counter()
            compiled[name] = ecf8.compile_mlir(*exported, codec=codec, output=folder / f"{name}.ecf8")
            seconds_of[name] = time.perf_counter() - start

    say("embedding sentences with torch, plain and compressed weights")
    calls = [batch, *singles]
    with torch.no_grad():
        expected = [model(*inputs) for inputs in calls]
        lossless = original(*batch)
    raw = [compiled["raw"](*inputs) for inputs in calls]
    compressed = [compiled["compressed"](*inputs) for inputs in calls]
    functions: dict[str, Callable[..., Any]] = {
        "torch": _embedding.eager(model),
        "torch_original": _embedding.eager(original),
        "raw": compiled["raw"],
        "compressed": compiled["compressed"],
    }
    milliseconds = _measure.milliseconds_per_call(functions, singles, seconds)

    histograms = _measure.exponent_histograms(model)
    _report.plot_exponents(histograms, folder / "exponents.png")
    stats = compiled["compressed"].stats()
    bound = _measure.mean_entropy_bound(histograms)
    if abs(bound - stats["fp8"]["entropy_bits_per_weight"]) > ENTROPY_TOLERANCE:
        told = stats["fp8"]["entropy_bits_per_weight"]
        raise ecf8.Error(f"expected an entropy bound of {bound} bits per weight, got {told} from ecf8-compile")
    ranked = _ranked(compressed[0], _embedding.SENTENCES)
    report = {
        "fp8_bytes": stats["fp8"]["bytes"],
        "compressed_bytes": stats["fp8"]["stored_bytes"],
        "total_bytes_raw": stats["total"]["bytes"],
        "total_bytes_compressed": stats["total"]["stored_bytes"],
        "bits_per_weight": stats["fp8"]["bits_per_weight"],
        "entropy_bits_per_weight": bound,
        "bit_exact": all(map(_measure.same_bytes, raw, compressed)),
        "max_abs_diff_torch": max((a - b).abs().max().item() for a, b in zip(compressed, expected, strict=True)),
        "ms_torch": milliseconds["torch"],
        "ms_raw": milliseconds["raw"],
        "ms_compressed": milliseconds["compressed"],
        # Details beyond the table's figures.
        "ms_torch_original": milliseconds["torch_original"],
        "compared_bytes": sum(output.nbytes for output in raw),
        "min_cosine_original": (lossless * expected[0]).sum(1).min().item(),
        "bundle_bytes_raw": compiled["raw"].stats()["bundle_bytes"],
        "bundle_bytes_compressed": stats["bundle_bytes"],
        "seconds": seconds_of,
        "ranking": ranked,
        "ranking_torch": _ranked(expected[0], _embedding.SENTENCES),
        "tokens_per_sentence": [ids.shape[1] for ids, _ in singles],
        "machine": {
            "processor": _processor(),
            "cpus": len(os.sched_getaffinity(0)),
            "instruction_set": compiled["compressed"].cpu,
            "torch_threads": torch.get_num_threads(),
        },
        "versions": {"ecf8": ecf8.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    order = _report.ranking(_embedding.QUERY, ranked)
    return report, f"\n{order}\n\n{_report.table(report)}"


def say(what: str) -> None:
    print(f"quickstart: {what}", flush=True)


def _ranked(embeddings: Any, sentences: Sequence[str]) -> list[dict[str, Any]]:
    """`sentences` by similarity to the query, whose embedding is the first."""
    similarities = (embeddings[1:] @ embeddings[0]).tolist()
    pairs = sorted(zip(similarities, sentences, strict=True), reverse=True)
    return [{"sentence": sentence, "similarity": similarity} for similarity, sentence in pairs]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _default_output() -> Path:
    repository = Path(__file__).resolve().parents[3]
    root = repository if (repository / "CMakePresets.json").is_file() else Path.cwd()
    return root / "build" / "quickstart"


if __name__ == "__main__":
    sys.exit(main())
