"""The quickstart's table and picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ._measure import entropy_bound


def table(report: Mapping[str, Any]) -> str:
    """The figures of `report` as text."""
    rows = [
        ("", "FP8, plain", "compressed", ""),
        (
            "bytes of the FP8 weights",
            f"{report['fp8_bytes']:,}",
            f"{report['compressed_bytes']:,}",
            _saved(report["fp8_bytes"], report["compressed_bytes"]),
        ),
        (
            "bytes of the whole model's weights",
            f"{report['total_bytes_raw']:,}",
            f"{report['total_bytes_compressed']:,}",
            _saved(report["total_bytes_raw"], report["total_bytes_compressed"]),
        ),
        (
            "bytes of the bundle, code included",
            f"{report['bundle_bytes_raw']:,}",
            f"{report['bundle_bytes_compressed']:,}",
            _saved(report["bundle_bytes_raw"], report["bundle_bytes_compressed"]),
        ),
        (
            "bits per FP8 weight",
            f"{8:.3f}",
            f"{report['bits_per_weight']:.3f}",
            f"entropy bound {report['entropy_bits_per_weight']:.3f}",
        ),
        ("ms per sentence, one at a time", f"{report['ms_raw']:.2f}", f"{report['ms_compressed']:.2f}", _torch(report)),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip() for row in rows]
    lines += [
        "",
        f"bit_exact: {str(report['bit_exact']).lower()}"
        f" (outputs of compressed and plain weights, {report['compared_bytes']:,} bytes compared)",
        f"largest difference to torch eager, same FP8 weights: {report['max_abs_diff_torch']:.2e}",
        f"cosine of FP8 and original f32 embeddings, at least: {report['min_cosine_original']:.4f}"
        " (rounding to FP8 is the lossy step)",
    ]
    return "\n".join(lines)


def _saved(before: int, after: int) -> str:
    return f"{100 - 100 * after / before:.1f} % less"


def _torch(report: Mapping[str, Any]) -> str:
    return f"torch {report['ms_torch']:.2f} (same FP8 weights), {report['ms_torch_original']:.2f} (original f32)"


def ranking(query: str, ranked: Sequence[Mapping[str, Any]]) -> str:
    """The sentences by similarity to `query`."""
    return "\n".join([f'"{query}"', *(f"  {item['similarity']:.3f}  {item['sentence']}" for item in ranked)])


def plot_exponents(histograms: Mapping[str, Sequence[int]], path: Path) -> None:
    """A picture of how often each exponent occurs in each layer, with the layer's bits per weight at best."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name.removeprefix("encoder.encoder.").removesuffix(".weight") for name in histograms]
    shares = [[count / sum(histogram) for count in histogram] for histogram in histograms.values()]
    figure, axes = pyplot.subplots(figsize=(9, max(6.0, 0.22 * len(names) + 1.6)), layout="constrained")
    image = axes.imshow(shares, aspect="auto", cmap="viridis", vmin=0)
    axes.set_xlabel("exponent field")
    axes.set_xticks(range(len(shares[0])))
    axes.set_yticks(range(len(names)), labels=names, fontsize=7)
    bounds = axes.secondary_yaxis("right")
    bounds.set_yticks(range(len(names)), labels=[f"{entropy_bound(h):.2f}" for h in histograms.values()], fontsize=7)
    bounds.set_ylabel("bits per weight at best: sign, mantissa and entropy of the exponent")
    axes.set_title("Exponents of the FP8 weights, share in each layer")
    figure.colorbar(image, ax=axes, pad=0.02)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
