"""The report as JSON, as a table in Markdown, and as a plot.

.venv/bin/python benchmarks/cpu/report.py benchmarks/results/cpu.json     writes cpu.md and cpu.png beside it
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COLORS = {
    "planes": "tab:blue",
    "huffman L=7": "tab:cyan",
    "huffman L=8": "tab:green",
    "planes epilogue": "navy",
    "raw": "black",
    "dense bf16": "gray",
    "torch bf16": "tab:red",
    "torch f32": "tab:orange",
    "torch upcast": "tab:brown",
    "iree fp8": "tab:purple",
    "iree bf16": "tab:pink",
}


def to_json(report: dict[str, Any]) -> str:
    """One line for each cell: short, and its differences can be read."""
    cells: dict[str, Any] = {}

    def folded(value: Any) -> Any:
        key = f"@cell{len(cells)}@"
        cells[key] = value
        return key

    groups = [{**g, "results": [folded(r) for r in g["results"]]} for g in report["groups"]]
    text = json.dumps({**report, "groups": groups, "memory": [folded(m) for m in report["memory"]]}, indent=1)
    for key, value in cells.items():
        text = text.replace(f'"{key}"', json.dumps(value))
    return text


def _rows(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _speeds(group: dict[str, Any]) -> str:
    names = list(group["results"][0]["weights_per_second_1e9"])
    rows = []
    for cell in group["results"]:
        row = [str(cell["rows"])]
        for name in names:
            speed = f"{cell['weights_per_second_1e9'][name]:.3g}"
            ratios = [cell.get(f"ratio_to_{base}", {}).get(name) for base in ("torch_bf16", "iree")]
            text = " / ".join("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
            row.append(speed if ratios == [None, None] else f"{speed} ({text})")
        rows.append(row)
    return _rows(["rows", *names], rows)


def _memory(entries: list[dict[str, Any]]) -> str:
    rows: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for entry in entries:
        rows.setdefault((entry["layer"], entry["contender"]), {})[entry["rows"]] = entry
    counts = sorted({entry["rows"] for entry in entries})
    body = []
    for (layer, name), found in rows.items():
        cells = [
            f"{found[m][what] / found[m]['threads'] / 2**20:.2f}" if m in found else "-"
            for what in ("peak", "retained")
            for m in counts
        ]
        body.append([layer, name, f"{next(iter(found.values()))['bits_per_weight']:.2f}", *cells])
    columns = [f"{what}, M = {m}" for what in ("peak", "retained") for m in counts]
    header = ["layer", "contender", "resident bits per weight", *columns]
    return _rows(header, body)


def table(report: dict[str, Any]) -> str:
    """Markdown."""
    machine = report["machine"]
    text = "# Linear layers on the CPU\n\n"
    text += f"`benchmarks/cpu/run.py` at {report['commit']}, {machine['cpu']}, {machine['threads']} thread(s), "
    text += f"{report['rounds']} rounds; " + ", ".join(f"{k} {v}" for k, v in report["versions"].items()) + ".\n\n"
    text += f"{report['note']}\n\n" if report["note"] else ""
    text += "G weights per second (median of the rounds); in brackets the medians of the rounds' ratios to torch bf16 "
    text += "and to the faster of the two IREE contenders.\n"
    for group in report["groups"]:
        before, after = group["read_gb_per_second"]
        text += f"\n## {group['layer']}, {group['shape'][0]} x {group['shape'][1]}, {group['activations']}, "
        text += f"scale: {group['scale']}\n\nReading memory: {before} GB/s before, {after} GB/s after.\n\n"
        text += _speeds(group)
    if report["memory"]:
        text += (
            "\n## Memory\n\nMiB per thread beyond weights, activations and result: at the peak of the first call, and "
        )
        text += "what the process keeps after six calls.\n\n"
        text += _memory(report["memory"])
    return text


def _draw_speed(axes: Any, group: dict[str, Any], limits: tuple[float, float]) -> None:
    rows = [cell["rows"] for cell in group["results"]]
    for name, color in COLORS.items():
        if name in group["results"][0]["weights_per_second_1e9"]:
            speeds = [cell["weights_per_second_1e9"][name] for cell in group["results"]]
            dashed = name.startswith(("torch", "iree"))
            axes.plot(rows, speeds, "--o" if dashed else "-o", color=color, label=name, markersize=3)
    shape = " x ".join(map(str, group["shape"]))
    axes.set_title(f"{group['layer']} {shape}\n{group['activations']}, scale: {group['scale']}", fontsize=8)
    axes.set(xscale="log", yscale="log", ylim=limits)
    axes.set_xticks(rows, [str(m) for m in rows], fontsize=7)
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def _draw_memory(axes: Any, report: dict[str, Any]) -> None:
    for name, color in COLORS.items():
        found = sorted(
            (e["rows"], e["peak"] / e["threads"] / 2**20) for e in report["memory"] if e["contender"] == name
        )
        worst = {m: max(peak for n, peak in found if n == m) for m, _ in found}
        if worst:
            axes.plot(list(worst), [max(peak, 0.01) for peak in worst.values()], "-o", color=color, markersize=3)
    rows = sorted({entry["rows"] for entry in report["memory"]})
    axes.axhline(4, color="gray", linewidth=0.8)
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(rows, [f"M = {m}" for m in rows], fontsize=7)
    axes.minorticks_off()
    axes.set_title("MiB per thread beyond weights,\nactivations, result: worst layer (gray: 4)", fontsize=8)
    axes.grid(alpha=0.3)


def _draw_bits(axes: Any, report: dict[str, Any]) -> None:
    bits = {e["contender"]: e["bits_per_weight"] for e in report["memory"]}
    names = [name for name in COLORS if name in bits]
    axes.barh(names, [bits[name] for name in names], color=[COLORS[name] for name in names])
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.set_title("resident bits per weight", fontsize=8)


def draw(report: dict[str, Any], path: Path) -> None:
    """One panel for each group, and two for memory."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = len(report["groups"]) + (2 if report["memory"] else 0)
    columns = min(4, panels)
    lines = -(-panels // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(4 * columns, 3 * lines + 0.6), squeeze=False)
    axes = list(grid.flat)
    cells = [cell for group in report["groups"] for cell in group["results"]]
    speeds = [speed for cell in cells for speed in cell["weights_per_second_1e9"].values()]
    limits = min(speeds) / 1.3, max(speeds) * 1.3
    for group in report["groups"]:
        _draw_speed(axes.pop(0), group, limits)
    if report["memory"]:
        _draw_memory(axes.pop(0), report)
        _draw_bits(axes.pop(0), report)
    for unused in axes:
        unused.axis("off")
    machine = report["machine"]
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), fontsize=7)
    title = f"G weights per second against rows of activations; {machine['cpu']}, {machine['threads']} thread(s)"
    figure.suptitle(title, fontsize=10)
    figure.tight_layout(rect=(0, 0.3 / (3 * lines + 0.6), 1, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    recorded = json.loads(source.read_text())
    source.with_suffix(".md").write_text(table(recorded))
    draw(recorded, source.with_suffix(".png"))
