"""Modules compiled with plain and compressed weights: the same bytes, and torch's values."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ecf8
import numpy
import pytest
import torch
from conftest import QUICK, Block, mlp, same_bytes
from ecf8._tools import find_compiler
from ecf8.quantize import QuantizedLinear, quantize_linears
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


def compiled_pair(module: nn.Module, *args: Tensor, **options: Any) -> tuple[ecf8.CompiledModel, ecf8.CompiledModel]:
    plain = ecf8.compile(module, args or None, codec="raw", **{**QUICK, **options})
    compressed = ecf8.compile(module, args or None, codec="huffman", **{**QUICK, **options})
    return plain, compressed


def check(module: nn.Module, *args: Tensor, tolerance: float = 1e-5, **options: Any) -> ecf8.CompiledModel:
    """Plain and compressed agree in every bit, and with torch within `tolerance` of its largest value."""
    plain, compressed = compiled_pair(module, *args, **options)
    with torch.no_grad():
        expected = module.eval()(*args)
    outputs = compressed(*args)
    assert same_bytes(plain(*args), outputs)
    assert outputs.dtype == expected.dtype and outputs.shape == expected.shape
    difference = (outputs.float() - expected.float()).abs().max().item()
    assert difference <= tolerance * max(1.0, expected.float().abs().max().item())
    assert any(weight.encoding and "huffman" in weight.encoding for weight in compressed.weights)
    return compressed


@pytest.mark.parametrize("dtype", [E4M3, E5M2], ids=["e4m3", "e5m2"])
@pytest.mark.parametrize("scheme", ["channel", "block"])
def test_mlp(dtype, scheme):
    check(quantize_linears(mlp(256, 128, 384), dtype=dtype, scheme=scheme), torch.randn(4, 256))


@pytest.mark.parametrize("shape", [(130, 200), (128, 200), (130, 256), (1, 1), (33, 17)], ids=str)
def test_ragged_blocks(shape):
    check(quantize_linears(nn.Linear(shape[1], shape[0]), scheme="block"), torch.randn(3, shape[1]))


def test_transformer_block():
    check(quantize_linears(Block()), torch.randn(2, 7, 64))


INTERRUPTED = """
import sys, torch, ecf8
sys.path.insert(0, sys.argv[1])
from conftest import Block
ecf8.compile(Block(), (torch.randn(2, 7, 64),), output=sys.argv[2])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["int", "term"])
def test_interrupted_compiler_leaves_nothing(number, tmp_path):
    program, weights = ecf8.export_mlir(Block(), (torch.randn(2, 7, 64),), tmp_path / "in")
    output = tmp_path / "out"
    output.mkdir()
    command = [find_compiler(), program, f"--weights={weights}", "-o", output / "model.ecf8"]
    assert interrupt(command, output, number) == -number
    assert list(output.iterdir()) == []


def test_interrupted_compile_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", INTERRUPTED, Path(__file__).parent, tmp_path / "model.ecf8"]
    assert interrupt(command, tmp_path, signal.SIGINT) != 0
    assert list(tmp_path.iterdir()) == []


def interrupt(command: list[Any], folder: Path, number: int) -> int:
    """Runs `command`, sends it a signal when something appears in `folder`, and returns the exit status."""
    process = subprocess.Popen(
        [os.fspath(part) for part in command],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # jobs in the background start with it ignored
    )
    while not any(folder.iterdir()):
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(number)
    return process.wait(timeout=60)


def test_bf16():
    check(quantize_linears(mlp(64, 96, 32).to(torch.bfloat16)), torch.randn(4, 64).bfloat16(), tolerance=2e-2)


def test_dynamic_batch():
    module = quantize_linears(Block())
    batch, length = torch.export.Dim("batch", min=1, max=8), torch.export.Dim("length", min=2, max=16)
    model = check(module, torch.randn(2, 7, 64), dynamic_shapes=({0: batch, 1: length},))
    for sizes in itertools.product((1, 2, 3, 4, 8), (2, 5, 7, 16)):
        x = torch.randn(*sizes, 64)
        with torch.no_grad():
            assert torch.allclose(model(x), module(x), atol=1e-4)
    with pytest.raises(ecf8.ExecutionError, match="expected dimension 1 of input 0 to be at most 16"):
        model(torch.randn(1, 17, 64))
    # torch.export takes a size of 1 as a constant, so programs with a dynamic length start at 2.
    with pytest.raises(ecf8.ExecutionError, match="expected dimension 1 of input 0 to be at least 2"):
        model(torch.randn(2, 1, 64))


def test_sizes_that_must_agree():
    class Sum(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    n = torch.export.Dim("n", min=1, max=1000)
    model = ecf8.compile(Sum(), (torch.ones(3), torch.ones(3)), dynamic_shapes=({0: n}, {0: n}), **QUICK)
    assert model(torch.ones(5), torch.ones(5)).tolist() == [2.0] * 5
    with pytest.raises(ecf8.ExecutionError, match="expected dimension 0 of input 1 to be dimension 0 of input 0"):
        model(torch.ones(500), torch.ones(3))


def test_tied_weights():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.Linear(64, 64)
            self.first, self.second = layer, nn.Linear(64, 64)
            self.second.weight = layer.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))

    model = check(quantize_linears(Tied()), torch.randn(2, 64))
    assert sum(weight.dtype == "f8E4M3FN" for weight in model.weights) == 1


class TwoEntries(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(48, 96), nn.Linear(96, 48)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.relu(self.up(x)))

    def hidden(self, x: Tensor, gain: Tensor) -> tuple[Tensor, Tensor]:
        h = self.up(x)
        return h * gain, h.sum(1)


def test_entry_points_share_weights():
    module = quantize_linears(TwoEntries())
    x, gain = torch.randn(2, 48), torch.randn(96)
    points = {"main": ecf8.EntryPoint((x,)), "hidden": ecf8.EntryPoint((x, gain), method="hidden")}
    plain, compressed = compiled_pair(module, entry_points=points)
    assert list(compressed.functions) == ["main", "hidden"]
    assert len({weight.name for weight in compressed.weights}) == len(compressed.weights) == 6
    outputs, expected = compressed["hidden"](x, gain), module.hidden(x, gain)
    assert isinstance(outputs, tuple) and len(outputs) == 2
    for ours, raw, theirs in zip(outputs, plain["hidden"](x, gain), expected, strict=True):
        assert same_bytes(ours, raw)
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert torch.allclose(compressed(x), module(x), atol=1e-5)
    assert same_bytes(compressed(x), plain["main"](x))


@pytest.mark.parametrize("dtype", [E4M3, E5M2], ids=["e4m3", "e5m2"])
def test_every_byte_value(dtype):
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            codes = torch.arange(64 * 256).remainder(256).to(torch.uint8).view(dtype).reshape(64, 256)
            self.w = nn.Parameter(codes, requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.w.to(torch.float32) * x

    module, x = Scaled(), torch.ones(256)
    for model in compiled_pair(module, x):
        ours, theirs = model(x), module(x)
        finite = ~theirs.isnan()
        assert torch.equal(ours.isnan(), theirs.isnan())
        assert same_bytes(ours[finite], theirs[finite])  # the sign of zero included


def test_integers_are_exact_whatever_the_order_of_summation():
    weight = torch.randint(-8, 9, (96, 160)).to(E4M3)
    module = QuantizedLinear(weight, torch.ones(96, 1), None, None, torch.float32)
    x = torch.randint(-100, 100, (5, 160)).float()
    for model in compiled_pair(module, x):
        assert same_bytes(model(x), module(x))


@pytest.mark.parametrize("cpu", ["generic", "x86-64-v3", "x86-64-v4"])
def test_each_instruction_set(cpu, all_levels: tuple[Path, Path, nn.Module]):
    plain, compressed, module = all_levels
    x = torch.randn(4, 200)
    try:
        models = [ecf8.load(path, cpu=cpu) for path in (plain, compressed)]
    except ecf8.ExecutionError as error:
        # A machine without the instruction set says so; that is the behaviour to test there.
        assert error.code == "unsupported" and cpu in str(error)
        return
    assert [model.cpu for model in models] == [cpu, cpu]
    assert same_bytes(models[0](x), models[1](x))
    assert torch.allclose(models[1](x), module(x), atol=1e-4)


@pytest.fixture(scope="module")
def all_levels(tmp_path_factory) -> tuple[Path, Path, nn.Module]:
    folder = tmp_path_factory.mktemp("levels")
    module = quantize_linears(mlp(200, 130, 70))
    for codec in ("raw", "huffman"):
        ecf8.compile(module, (torch.randn(4, 200),), codec=codec, output=folder / codec)
    return folder / "raw", folder / "huffman", module


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.integers(1, 300),
    columns=st.integers(1, 300),
    dtype=st.sampled_from([E4M3, E5M2]),
    fill=st.sampled_from(["gaussian", "any bytes", "one value", "zeros", "heavy tail"]),
    seed=st.integers(0, 99),
)
def test_any_weight_decodes_to_its_bytes(rows, columns, dtype, fill, seed):
    generator = torch.Generator().manual_seed(seed)
    if fill == "any bytes":
        weight = torch.randint(0, 256, (rows, columns), generator=generator, dtype=torch.uint8).view(dtype)
    else:
        values = torch.randn(rows, columns, generator=generator)
        values = {"one value": values * 0 + 1.5, "zeros": values * 0, "heavy tail": values**5}.get(fill, values)
        weight = values.clamp(-400, 400).to(dtype)

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(weight, requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.w.to(torch.float32) * x

    x = torch.ones(columns)
    model = ecf8.compile(Plain(), (x,), codec="huffman", **QUICK)
    ours, theirs = model(x), weight.float()
    assert torch.equal(ours.isnan(), theirs.isnan())
    assert same_bytes(ours.nan_to_num(), theirs.nan_to_num())


def test_same_input_same_weights_file(tmp_path):
    module, x = quantize_linears(mlp(256, 256)), torch.randn(1, 256)
    paths = [tmp_path / "one", tmp_path / "two"]
    for path, threads in zip(paths, (1, 2), strict=True):
        ecf8.compile(module, (x,), output=path, target_cpu="generic", options=[f"--threads={threads}"])
    assert len({(path / "weights.safetensors").read_bytes() for path in paths}) == 1


def test_stats():
    model = check(quantize_linears(mlp(256, 256)), torch.randn(1, 256))
    stats = model.stats()
    (weight,) = (weight for weight in stats["weights"] if weight["name"] == "0.weight")
    assert weight["shape"] == [256, 256] and weight["dtype"] == "f8E4M3FN" and weight["codec"] == "huffman"
    assert stats["fp8"]["bytes"] == 256 * 256
    assert stats["fp8"]["entropy_bits_per_weight"] < stats["fp8"]["bits_per_weight"] < 8
    (stored,) = (stored for stored in model.weights if stored.name == "0.weight")
    assert (stored.stored_bytes, stored.decoded_bytes) == (weight["stored_bytes"], 256 * 256)
    fused = [remark["arguments"] for remark in stats["remarks"] if remark["name"] == "Fused"]
    assert [(remark["Name"], remark["Scale"]) for remark in fused if "Scale" in remark] == [("0.weight", "1 x 256")]


def test_codec_names_the_encoding():
    module, x = quantize_linears(mlp(256, 256)), torch.randn(1, 256)
    encodings = {}
    for codec in ("raw", "auto", "huffman"):
        model = ecf8.compile(module, (x,), codec, "cpu", **QUICK)
        encodings[codec] = next(weight.encoding for weight in model.weights if weight.dtype == "f8E4M3FN")
    assert encodings["raw"].startswith("#ecf8.raw") and encodings["auto"] == "#ecf8.planes"
    assert encodings["huffman"] == "#ecf8.huffman"


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "int32", "int8", "bool", "bfloat16"])
def test_dtypes_in_and_out(dtype):
    class Pass(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flip(0)

    x = torch.tensor([[0, 1, 0], [1, 1, 0]]).to(getattr(torch, dtype))
    model = ecf8.compile(Pass(), (x,), **QUICK)
    assert same_bytes(model(x), x.flip(0))
    if dtype != "bfloat16":
        array = model(x.numpy())
        assert array.dtype == x.numpy().dtype and numpy.array_equal(array, x.flip(0).numpy())


def test_scalar_and_empty_tensors():
    class Mixed(nn.Module):
        def forward(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
            return x * s, x.sum()

    n = torch.export.Dim("n", min=0, max=9)
    model = ecf8.compile(Mixed(), (torch.ones(3, 2), torch.tensor(2.0)), dynamic_shapes=({0: n}, None), **QUICK)
    scaled, total = model(torch.ones(4, 2), torch.tensor(3.0))
    assert scaled.tolist() == [[3.0, 3.0]] * 4 and total.shape == () and total.item() == 8.0
    scaled, total = model(numpy.ones((0, 2), numpy.float32), numpy.float32(3))
    assert scaled.shape == (0, 2) and total.shape == () and total == 0.0


def test_what_the_compiler_refuses_has_a_reproducer():
    with pytest.raises(ecf8.CompileError, match=r"ecf8-compile failed with status 1: .*none/ld\.lld") as raised:
        ecf8.compile(mlp(4, 4), (torch.ones(1, 4),), target_cpu="generic", options=["--linker=/none/ld.lld"])
    reproducer = raised.value.reproducer
    assert reproducer is not None and str(reproducer) in str(raised.value)
    assert "func.func" in reproducer.read_text()
    assert "/none/ld.lld" in raised.value.diagnostics


def test_a_message_names_the_op_that_mlir_names_in_a_note(tmp_path):
    program = tmp_path / "program.mlir"
    program.write_text(
        "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
        "  %y = tosa.exp %x : (tensor<4xf32>) -> tensor<4xf32>\n"
        "  return %y : tensor<4xf32>\n}\n"
    )
    weights = tmp_path / "weights.safetensors"
    save_file({}, weights)
    with pytest.raises(ecf8.CompileError, match=r"program\.mlir:2:8: error: op was not bufferized \('tosa\.exp'\)"):
        ecf8.compile_mlir(program, weights)


def test_one_import_for_several_variants(tmp_path):
    module, x = quantize_linears(mlp(64, 64)), torch.randn(2, 64)
    program, weights = ecf8.export_mlir(module, (x,), tmp_path)
    variants = [ecf8.compile_mlir(program, weights, codec, **QUICK) for codec in ("raw", "huffman")]
    assert same_bytes(variants[0](x), variants[1](x))
    with pytest.raises(ecf8.CompileError, match=r"none\.mlir") as raised:
        ecf8.compile_mlir(tmp_path / "none.mlir", weights)
    assert raised.value.reproducer is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "zip"}, "ecf8-compile failed with status 2: .*zip"),
        ({"codec": "planes", "target": "cuda"}, "quads, pairs or classic for a GPU, got planes"),
        ({"target": "toaster"}, "expected --target=cpu, cuda or simt, got 'toaster'"),
        ({"target_cpu": "z80"}, "z80"),
        ({"output": "/nowhere/model.ecf8"}, "expected a folder at '/nowhere' to write the bundle 'model.ecf8' into"),
        ({"output": "/proc/model.ecf8"}, "/proc"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ecf8.CompileError, match=message) as raised:
        ecf8.compile(mlp(4, 4), (torch.ones(1, 4),), **options)
    assert raised.value.reproducer is None or "output" in options  # no fault of the program


def test_failed_compilation_leaves_an_older_bundle_alone(tmp_path, bundle: Path):
    model = ecf8.load(bundle)
    old = model.save(tmp_path / "old.ecf8")
    before = {file: file.read_bytes() for file in old.rglob("*") if file.is_file()}
    with pytest.raises(ecf8.Error):
        ecf8.compile(mlp(4, 4), (torch.ones(1, 4),), output=old, options=["--tile-columns=7"])
    assert {file: file.read_bytes() for file in old.rglob("*") if file.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["old.ecf8"]


def test_progress_bar_only_when_asked(capfd):
    module, x = mlp(4, 4), torch.ones(1, 4)
    ecf8.compile(module, (x,), **QUICK)
    assert "exporting" not in capfd.readouterr().err
    ecf8.compile(module, (x,), show_progress=True, **QUICK)
    shown = capfd.readouterr().err
    assert all(stage in shown for stage in ("exporting 'main'", "importing", "writing weights", "compiling", "loading"))


def test_orders_of_codecs_do_not_matter():
    # The two compilations of one module must not influence each other through the module.
    module, x = quantize_linears(mlp(64, 64)), torch.randn(2, 64)
    results = [
        [ecf8.compile(module, (x,), codec=codec, **QUICK)(x) for codec in order]
        for order in itertools.permutations(("raw", "huffman"))
    ]
    assert all(same_bytes(results[0][0], result) for row in results for result in row)
