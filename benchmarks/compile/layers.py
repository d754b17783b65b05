"""Compile time of a decoder as layers are added: does a model of 36 layers still compile in a minute? Prints JSON.

    .venv/bin/python benchmarks/compile/layers.py --build build
    .venv/bin/python benchmarks/compile/layers.py --build build --distinct --record

The model has the modules and the shapes of Qwen3-8B (transformers' own code, linear layers in FP8 with a scale for
each row), but a vocabulary of 1000. Its weights are zeros that nobody stores: tensors of stride 0 for the import, a
sparse file for the compiler. All layers share the seven FP8 tensors, so that 7 GB need not be encoded; scales and
norms are each layer's own. With `--distinct` every layer has its own seven tensors, 252 in all for 36 layers, and the
widths are an eighth of the model's, so that all encodings fit into memory: what depends on the number of weights shows,
what depends on their bytes does not.

No bundle is written: `--codec=raw --emit=obj` measures what depends on the program, import, passes, and code for one
instruction set after the other, which a bundle makes side by side. The time for weights is shown, but not counted.
`--record` writes the report to benchmarks/results/layers.json, too.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_SECONDS = 60
LAYERS = (1, 9, 18, 36)
CPUS = ("generic", "x86-64-v3", "x86-64-v4", "x86-64-v4-bf16")
TOKENS = 64
RECORD = Path(__file__).resolve().parents[1] / "results" / "layers.json"
SAFETENSORS_NAMES = {"float32": "F32", "float8_e4m3fn": "F8_E4M3", "int64": "I64"}


def build_model(layers: int, distinct: bool):  # type: ignore[no-untyped-def]
    """A Qwen3ForCausalLM whose parameters are zeros without memory. `distinct` layers are narrow and share nothing."""
    import torch
    import transformers
    from ecf8.quantize import QuantizedLinear
    from torch import nn
    from transformers.models.qwen3 import modeling_qwen3

    part = 8 if distinct else 1
    config = transformers.Qwen3Config(
        vocab_size=1000, hidden_size=4096 // part, intermediate_size=12288 // part, num_hidden_layers=layers,
        num_attention_heads=32 // part, num_key_value_heads=8 // part, head_dim=128, tie_word_embeddings=False,
        attn_implementation="eager",
    )  # fmt: skip

    def zeros(shape, dtype):  # type: ignore[no-untyped-def]
        return torch.zeros(1, dtype=dtype).expand(shape)

    with torch.device("meta"):
        model = transformers.Qwen3ForCausalLM(config)
    model.model.rotary_emb = modeling_qwen3.Qwen3RotaryEmbedding(config)
    shared: dict[str, torch.Tensor] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and child is not model.lm_head:
                weight = zeros(child.weight.shape, torch.float8_e4m3fn)
                if not distinct:
                    weight = shared.setdefault(name, weight)
                scale = zeros((child.out_features, 1), torch.float32)
                setattr(parent, name, QuantizedLinear(weight, scale, None, None, torch.float32))
        for name, parameter in list(parent.named_parameters(recurse=False)):
            if parameter.is_meta:
                setattr(parent, name, nn.Parameter(zeros(parameter.shape, torch.float32), requires_grad=False))

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=tokens, use_cache=False).logits

    return Logits().eval(), (torch.zeros(1, TOKENS, dtype=torch.int64),)


def write_sparse(path: Path, tensors: dict) -> int:
    """A safetensors file with the names, types and shapes of `tensors`, all zero; its size in bytes."""
    header, offset = {}, 0
    for name, tensor in tensors.items():
        end = offset + tensor.numel() * tensor.element_size()
        dtype = SAFETENSORS_NAMES[str(tensor.dtype).removeprefix("torch.")]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
    return offset


def import_model(layers: int, distinct: bool, folder: Path) -> dict:
    from ecf8._capture import EntryPoint, WeightTable, capture
    from ecf8._importer import import_programs

    model, inputs = build_model(layers, distinct)
    begin = time.perf_counter()
    weights = WeightTable()
    program = capture("main", EntryPoint(inputs, module=model), weights)
    text = import_programs([program])
    seconds = time.perf_counter() - begin
    (folder / "model.mlir").write_text(text)
    size = write_sparse(folder / "weights.safetensors", weights.tensors)
    fp8 = sum(str(tensor.dtype) == "torch.float8_e4m3fn" for tensor in weights.tensors.values())
    return {"import_seconds": round(seconds, 2), "program_bytes": len(text), "fp8_weights": fp8, "weight_bytes": size}


def compile_model(build: Path, folder: Path, cpu: str) -> dict:
    """The compiler's own times by phase for one instruction set; `seconds` is their sum without the encoder's."""
    command = [build / "bin/ecf8-compile", folder / "model.mlir", "--weights", folder / "weights.safetensors"]
    command += ["--codec=raw", "--emit=obj", f"--target-cpu={cpu}", "-v", "-o", folder / "model.o"]
    with tempfile.TemporaryFile("w+") as diagnostics:
        process = subprocess.Popen(command, stderr=diagnostics, text=True)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        diagnostics.seek(0)
        text = diagnostics.read()
    if process.returncode != 0:
        sys.exit(text)
    phases = {name: float(value) for value, name in re.findall(r"^ *([0-9.]+) s  (.*)$", text, re.M)}
    seconds = sum(value for name, value in phases.items() if name != "encode weights")
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(
            usage.ru_utime + usage.ru_stime, 2
        ),  # all phases, on all threads; for machines that are not idle
        "peak_bytes": usage.ru_maxrss * 1024,
        "object_bytes": (folder / "model.o").stat().st_size,
        "phases": phases,
    }


def measure(build: Path, layers: tuple[int, ...], cpus: tuple[str, ...], distinct: bool) -> dict:
    report: dict = {}
    for count in layers:
        with tempfile.TemporaryDirectory(prefix="ecf8-layers-") as name:
            entry = import_model(count, distinct, Path(name))
            entry["compile"] = {cpu: compile_model(build, Path(name), cpu) for cpu in cpus}
        for total, key in (("compile_seconds", "seconds"), ("compile_processor_seconds", "processor_seconds")):
            entry[total] = round(sum(item[key] for item in entry["compile"].values()), 2)
        entry["peak_bytes"] = max(item["peak_bytes"] for item in entry["compile"].values())
        report[str(count)] = entry
        print(f"{count} layers: {entry}", file=sys.stderr, flush=True)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--layers", type=int, nargs="+", default=LAYERS)
    parser.add_argument("--cpus", nargs="+", default=CPUS)
    parser.add_argument(
        "--distinct", action="store_true", help="each layer has its own weights, of an eighth the width"
    )
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}, too")
    arguments = parser.parse_args()
    os.environ["ECF8_HOME"] = str(arguments.build.resolve())
    results = measure(arguments.build.resolve(), tuple(arguments.layers), tuple(arguments.cpus), arguments.distinct)
    fewest, most = (results[str(count)] for count in (min(arguments.layers), max(arguments.layers)))
    growth = most["compile_processor_seconds"] / fewest["compile_processor_seconds"]
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    shape = (
        "an eighth of its widths, all weights distinct" if arguments.distinct else "its shapes, layers share weights"
    )
    report = {
        "benchmark": "compile-layers",
        "machine": {"cpu": model.split(":")[1].strip(), "system": platform.platform()},
        "commit": commit,
        "data": f"modules of Qwen3-8B, vocabulary 1000, {TOKENS} tokens, raw weights; {shape}",
        "limits": {"seconds": LIMIT_SECONDS},
        "layers": results,
        "times_as_long": round(growth, 2),
        "times_as_many_layers": round(max(arguments.layers) / min(arguments.layers), 2),
        "within_seconds": most["compile_processor_seconds"] <= LIMIT_SECONDS,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.record:
        RECORD.write_text(text + "\n")


if __name__ == "__main__":
    main()
