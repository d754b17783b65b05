"""Compile time of a decoder as layers are added: does a model of 36 layers still compile in a minute? Prints JSON.

    .venv/bin/python benchmarks/compile/layers.py --build build

The model has the modules and the shapes of Qwen3-8B (transformers' own code, linear layers in FP8 with a scale for
each row), but a vocabulary of 1000. Its weights are zeros that nobody stores: tensors of stride 0 for the import, a
sparse file for the compiler. All layers share the seven FP8 tensors, so that 7 GB need not be encoded; scales and
norms are each layer's own. No bundle is written: `--codec=raw --emit=obj` measures what depends on the program,
import, passes, and code for one instruction set after the other, which a bundle makes side by side. The time for
weights is shown, but not counted.
"""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_SECONDS = 60
LAYERS = (9, 18, 36)
CPUS = ("generic", "x86-64-v3", "x86-64-v4", "x86-64-v4-bf16")
TOKENS = 64
SAFETENSORS_NAMES = {"float32": "F32", "float8_e4m3fn": "F8_E4M3", "int64": "I64"}


def build_model(layers: int):  # type: ignore[no-untyped-def]
    """A Qwen3ForCausalLM whose parameters are zeros without memory."""
    import torch
    import transformers
    from ecf8.quantize import QuantizedLinear
    from torch import nn
    from transformers.models.qwen3 import modeling_qwen3

    config = transformers.Qwen3Config(
        vocab_size=1000, hidden_size=4096, intermediate_size=12288, num_hidden_layers=layers, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, tie_word_embeddings=False, attn_implementation="eager",
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
                weight = shared.setdefault(name, zeros(child.weight.shape, torch.float8_e4m3fn))
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


def import_model(layers: int, folder: Path) -> dict:
    from ecf8._capture import EntryPoint, WeightTable, capture
    from ecf8._importer import import_programs

    model, inputs = build_model(layers)
    begin = time.perf_counter()
    weights = WeightTable()
    program = capture("main", EntryPoint(inputs, module=model), weights)
    text = import_programs([program])
    seconds = time.perf_counter() - begin
    (folder / "model.mlir").write_text(text)
    size = write_sparse(folder / "weights.safetensors", weights.tensors)
    return {"import_seconds": round(seconds, 2), "program_bytes": len(text), "weight_bytes": size}


def compile_model(build: Path, folder: Path, cpu: str) -> dict:
    """The compiler's own times by phase for one instruction set; `seconds` is their sum without the encoder's."""
    command = [build / "bin/ecf8-compile", folder / "model.mlir", "--weights", folder / "weights.safetensors"]
    command += ["--codec=raw", "--emit=obj", f"--target-cpu={cpu}", "-v", "-o", folder / "model.o"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if result.returncode != 0:
        sys.exit(result.stderr)
    phases = {name: float(value) for value, name in re.findall(r"^ *([0-9.]+) s  (.*)$", result.stderr, re.M)}
    seconds = sum(value for name, value in phases.items() if name != "encode weights")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor, 2),  # all phases, on all threads; for machines that are not idle
        "object_bytes": (folder / "model.o").stat().st_size,
        "phases": phases,
    }


def measure(build: Path, layers: tuple[int, ...], cpus: tuple[str, ...]) -> dict:
    report: dict = {}
    for count in layers:
        with tempfile.TemporaryDirectory(prefix="ecf8-layers-") as name:
            entry = import_model(count, Path(name))
            entry["compile"] = {cpu: compile_model(build, Path(name), cpu) for cpu in cpus}
        entry["compile_seconds"] = round(sum(item["seconds"] for item in entry["compile"].values()), 2)
        report[str(count)] = entry
        print(f"{count} layers: {entry}", file=sys.stderr, flush=True)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--layers", type=int, nargs="+", default=LAYERS)
    parser.add_argument("--cpus", nargs="+", default=CPUS)
    arguments = parser.parse_args()
    os.environ["ECF8_HOME"] = str(arguments.build.resolve())
    results = measure(arguments.build.resolve(), tuple(arguments.layers), tuple(arguments.cpus))
    fewest, most = (results[str(count)] for count in (min(arguments.layers), max(arguments.layers)))
    growth = most["compile_seconds"] / fewest["compile_seconds"]
    model = next(x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name"))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    report = {
        "benchmark": "compile-layers",
        "machine": {"cpu": model.split(":")[1].strip(), "system": platform.platform()},
        "commit": commit,
        "data": f"modules and shapes of Qwen3-8B, vocabulary 1000, {TOKENS} tokens, weights not encoded",
        "limits": {"seconds": LIMIT_SECONDS},
        "layers": results,
        "times_as_long": round(growth, 2),
        "times_as_many_layers": round(max(arguments.layers) / min(arguments.layers), 2),
        "within_seconds": most["compile_seconds"] <= LIMIT_SECONDS,
    }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
