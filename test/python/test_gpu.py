"""Models for GPUs, run on the CPU by `--target=simt`: the same host code and kernels as on a GPU."""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ecf8
import numpy as np
import pytest
import torch
from conftest import Block, compile_for_gpus, mlp, same_bytes
from ecf8._tools import find_compiler
from ecf8.quantize import quantize_linears
from safetensors.torch import load_file
from torch import Tensor, nn

SMALL = ["--min-elements=1"]


def compiled(
    module: nn.Module, *args: Tensor, codecs: Sequence[str] = ("auto",), **options: Any
) -> tuple[ecf8.CompiledModel, ...]:
    """The model for the CPU, and for simt with each of the codecs; imported once."""
    with tempfile.TemporaryDirectory() as folder:
        program = ecf8.export_mlir(module.eval(), args, folder, **options)
        cpu = ecf8.compile_mlir(*program, target_cpu="native", options=SMALL)
        return cpu, *(ecf8.compile_mlir(*program, codec, "simt", options=SMALL) for codec in codecs)


def close(left: Tensor, right: Tensor, tolerance: float) -> bool:
    return torch.allclose(left.float(), right.float(), rtol=tolerance, atol=tolerance)


def xxh3(content: bytes) -> str:
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return f"{library.XXH3_64bits(content, len(content)):016x}"


@pytest.fixture(autouse=True)
def _checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds, uninitialised and racing accesses of kernels are errors."""
    monkeypatch.setenv("ECF8_SIMT_CHECK", "1")


@pytest.mark.parametrize("scheme", ["channel", "block"])
def test_bf16_layers(scheme):
    module = quantize_linears(mlp(200, 72, 40).to(torch.bfloat16), scheme=scheme)
    x = torch.randn(5, 200).bfloat16()
    cpu, raw, *others = compiled(module, x, codecs=("raw", "auto", "quads", "pairs", "classic"))
    assert raw.device == "simt (simt)"
    assert close(cpu(x), raw(x), 2e-2)
    assert all(same_bytes(raw(x), other(x)) for other in others)


def test_any_number_of_rows():
    module = quantize_linears(mlp(64, 48).half())
    dynamic = ({0: torch.export.Dim("rows", min=1)},)
    cpu, gpu = compiled(module, torch.randn(2, 64).half(), dynamic_shapes=dynamic, codecs=("quads",))
    for rows in (1, 8, 9, 33, 70):
        x = torch.randn(rows, 64).half()
        assert close(cpu(x), gpu(x), 2e-3), rows


def test_integers_are_exact():
    """Sums below 2^24 have one result in any order: all bytes of a contraction are compared."""
    linear = nn.Linear(512, 96, bias=False)
    linear.weight.data = torch.randint(-8, 9, linear.weight.shape).float()

    class Exact(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(linear.weight.data.to(torch.float8_e4m3fn), requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.weight.to(torch.bfloat16).T

    x = torch.randint(-4, 5, (3, 512)).bfloat16()
    cpu, gpu = compiled(Exact(), x, codecs=("quads",))
    assert same_bytes(cpu(x), gpu(x))


class DynamicFP8(nn.Module):
    """Activations rounded to FP8 with a scale for each row, weights with one for each output: as dynamic W8A8
    checkpoints say."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        weight = torch.randn(rows, columns)
        scale = weight.abs().amax(1, keepdim=True) / 448
        self.weight = nn.Parameter((weight / scale).to(torch.float8_e4m3fn), requires_grad=False)
        self.weight_scale = nn.Parameter(scale, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        scale = x.float().abs().amax(-1, keepdim=True) / 448
        quantized = (x.float() / scale).to(torch.float8_e4m3fn)
        sums = quantized.to(torch.float32) @ self.weight.to(torch.float32).T
        return (sums * scale * self.weight_scale.T).to(torch.bfloat16)


@pytest.mark.parametrize(("architecture", "path"), [("sm_90a", "W8A8"), ("sm_89", "W8A8"), ("sm_80", "W8A16")])
@pytest.mark.parametrize("shape", [(5, 256), (2, 3, 256)], ids=str)
def test_fp8_activations(architecture, path, shape, tmp_path):
    """GPUs that multiply FP8 take activations as they are, others extend them; the remarks say so."""
    x = torch.randn(shape).bfloat16()
    module = DynamicFP8(96, 256)
    program, weights = ecf8.export_mlir(module, (x,), tmp_path)
    command = [find_compiler(), program, f"--weights={weights}", *SMALL, "--target=simt", "--codec=quads", "--remarks"]
    run = subprocess.run(
        [*command, f"--gpu-arch={architecture}", "-o", tmp_path / "m.ecf8"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert path in run.stderr
    assert close(ecf8.load(tmp_path / "m.ecf8")(x), module(x), 1e-2)


class CastWithBias(nn.Module):
    """A weight cast to FP8 without a scale, and a bias: PyTorch's decomposition adds it to a product in f32."""

    def __init__(self, rows: int, columns: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randint(-8, 9, (rows, columns)).to(torch.float8_e4m3fn), requires_grad=False)
        self.bias = nn.Parameter(torch.randint(-8, 9, (rows,)).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.to(x.dtype), self.bias)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
def test_layer_with_a_bias_is_fused(architecture, dtype, tmp_path):
    x = torch.randint(-4, 5, (2, 3, 300)).to(dtype)
    module = CastWithBias(72, 300, dtype)
    program, weights = ecf8.export_mlir(module, (x,), tmp_path)
    command = [find_compiler(), program, f"--weights={weights}", *SMALL, "--target=simt", "--codec=quads", "--remarks"]
    run = subprocess.run(
        [*command, f"--gpu-arch={architecture}", "-o", tmp_path / "m.ecf8"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "Path=W8A16" in run.stderr
    assert same_bytes(ecf8.load(tmp_path / "m.ecf8")(x), module(x).detach())


def test_transformer_block():
    module = quantize_linears(Block().to(torch.bfloat16))
    x = torch.randn(2, 5, 64).bfloat16()
    cpu, gpu = compiled(module, x)
    assert close(cpu(x), gpu(x), 2e-2)


def test_f32_activations_are_decoded_as_a_whole():
    module = quantize_linears(mlp(64, 96, 32))
    x = torch.randn(4, 64)
    cpu, gpu = compiled(module, x, codecs=("quads",))
    assert same_bytes(cpu(x), gpu(x))


class Functions(nn.Module):
    """What a model does outside of its matmuls; of functions those that are in f32 on both."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        sums = x.sum(-1), x.max(-1).values, x.sum(), x.softmax(-1)
        moved = x.T.contiguous(), torch.cat([x, x * 2], 0), x[1:3, ::2], x.reshape(-1)
        math = (
            x.exp(),
            x.expm1(),
            (x.abs() + 1).log(),
            x.abs().log1p(),
            x.tanh(),
            x.erf(),
            x.abs().sqrt(),
            torch.rsqrt(x.abs() + 1),
            x.floor(),
        )
        rounded = x.round(), x.half() + x.half(), x.double() * 2, (x > 0), x.to(torch.int64), x.to(torch.float8_e4m3fn)
        return *sums, *moved, *math, *rounded


def test_functions_give_the_bytes_of_the_cpu():
    x = torch.randn(6, 33) * 3
    x[0, :4] = torch.tensor([0.0, -0.0, 1e-40, -1e30])
    cpu, gpu = compiled(Functions(), x)
    for index, (left, right) in enumerate(zip(cpu(x), gpu(x), strict=True)):
        assert same_bytes(left, right), index


class Embedding(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 16)

    def forward(self, index: Tensor) -> Tensor:
        return self.embedding(index)


def test_failed_assertion_of_a_kernel_is_an_error_and_no_more():
    index = torch.arange(4)
    cpu, gpu = compiled(Embedding(), index)
    with pytest.raises(ecf8.ExecutionError, match=r"assertion failed: .* at "):
        gpu(torch.tensor([1, 2, 10, 3]))
    assert same_bytes(cpu(index), gpu(index))


def test_scalars_loops_and_host_values(tmp_path):
    """What the host reads and writes of the GPU's memory: extracted elements, loop bounds, scalar results."""
    program = tmp_path / "p.mlir"
    program.write_text(
        """
        func.func @main(%x: tensor<?xi64>, %n: i64) -> (tensor<?xi64>, i64, f32) {
          %c0 = arith.constant 0 : index
          %c1 = arith.constant 1 : index
          %c2 = arith.constant 2 : i64
          %first = tensor.extract %x[%c0] : tensor<?xi64>
          %steps = arith.index_cast %first : i64 to index
          %result = scf.for %i = %c0 to %steps step %c1 iter_args(%t = %x) -> tensor<?xi64> {
            %old = tensor.extract %t[%c1] : tensor<?xi64>
            %new = arith.muli %old, %c2 : i64
            %next = tensor.insert %new into %t[%c1] : tensor<?xi64>
            scf.yield %next : tensor<?xi64>
          }
          %f = arith.sitofp %n : i64 to f32
          return %result, %first, %f : tensor<?xi64>, i64, f32
        }
        """
    )
    run = subprocess.run(
        [find_compiler(), program, "--target=simt", "-o", tmp_path / "p.ecf8"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    result, first, scalar = ecf8.load(tmp_path / "p.ecf8")(np.array([3, 5, 7]), np.array(4))
    assert np.asarray(result).tolist() == [3, 40, 7]
    assert (int(first), float(scalar)) == (3, 4.0)


def test_calls_from_several_threads():
    module = quantize_linears(mlp(64, 48).to(torch.bfloat16))
    x = torch.randn(2, 64).bfloat16()
    _, one, other = compiled(module, x, codecs=("quads", "raw"))
    expected, results = one(x), []
    call = lambda model: results.append(model(x))
    threads = [threading.Thread(target=call, args=(model,)) for model in (one, other, one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(threads)
    assert all(same_bytes(result, expected) for result in results)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_89", "sm_90", "sm_90a", "sm_100"])
def test_checkpoints_for_a_gpu_hold_what_its_bundles_hold(architecture, tmp_path):
    """`ecf8-pack --for` and `ecf8-compile --codec=auto` choose the same encoding: payloads are the same bytes."""
    module = quantize_linears(mlp(512, 96).to(torch.bfloat16))
    program, weights = ecf8.export_mlir(module, (torch.zeros(2, 512).bfloat16(),), tmp_path)
    packed, bundle = tmp_path / "packed.safetensors", tmp_path / "m.ecf8"
    ecf8.checkpoint.save(load_file(weights), packed, preset=architecture)
    ecf8.compile_mlir(program, weights, target="simt", options=[*SMALL, f"--gpu-arch={architecture}"], output=bundle)
    stored, compiled = load_file(packed)["0.weight"], load_file(bundle / "weights.safetensors")["0.weight"]
    assert stored.dtype == torch.uint8
    assert same_bytes(stored, compiled)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SEED", "abc", "ECF8_SIMT_SEED: expected a number from 0 to 18446744073709551615, got 'abc'"),
        ("WORKERS", "-1", "ECF8_SIMT_WORKERS: expected a number from 0 to 1024, got '-1'"),
        ("WORKERS", "1025", "ECF8_SIMT_WORKERS: expected a number from 0 to 1024, got '1025'"),
    ],
)
def test_wrong_settings_of_simt(gpu_bundle, monkeypatch, name, value, message):
    model, x = ecf8.load(gpu_bundle / "simt.ecf8"), torch.randn(2, 128).bfloat16()
    monkeypatch.setenv(f"ECF8_SIMT_{name}", value)
    with pytest.raises(ecf8.ExecutionError, match=message):
        model(x)
    with pytest.raises(ecf8.ExecutionError, match=f"simt: {message}"):
        ecf8.load(gpu_bundle / "simt.ecf8")
    monkeypatch.setenv(f"ECF8_SIMT_{name}", "3")
    model(x)


# ---- Bundles that are damaged or for something else -----------------------------------------------------------------


@pytest.fixture(scope="module")
def gpu_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_for_gpus(tmp_path_factory.mktemp("gpu"), 128, 64, targets=("simt", "cuda"))


def edited(bundle: Path, target: Path, edit: Any) -> Path:
    """A copy of `bundle` with another manifest: `edit(manifest, folder)`."""
    shutil.copytree(bundle, target)
    path = target / "manifest.json"
    manifest = json.loads(path.read_text())
    edit(manifest, target)
    path.write_text(json.dumps(manifest))
    return target


def test_bundle_holds_a_forward_compatible_ptx(gpu_bundle):
    manifest = json.loads((gpu_bundle / "cuda.ecf8" / "manifest.json").read_text())
    assert manifest["target"] == "cuda"
    assert manifest["required_features"] == ["gpu_kernels"]
    assert [(kernels["gpu"], kernels["format"]) for kernels in manifest["kernels"]] == [
        ("sm_90a", "ptx"),
        ("sm_90", "ptx"),
    ]
    run = subprocess.run(
        [find_compiler().with_name("ecf8-run"), gpu_bundle / "cuda.ecf8", "--verify"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_kernels_for_other_encodings_are_refused(gpu_bundle, tmp_path):
    def edit(manifest: dict[str, Any], folder: Path) -> None:
        kernels = manifest["kernels"][0]
        path = folder / kernels["path"]
        text = path.read_text()
        mark = text[text.index("@ecf8_weights_") :][1:30]
        path.write_text(text.replace(mark, "ecf8_weights_0000000000000000"))
        kernels["bytes"] = path.stat().st_size
        kernels["xxh3"] = xxh3(path.read_bytes())

    bundle = edited(gpu_bundle / "simt.ecf8", tmp_path / "b.ecf8", edit)
    with pytest.raises(ecf8.ExecutionError, match="expected kernels for the encodings of the bundle's weights"):
        ecf8.load(bundle)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w["gpu"].update(layout="0" * 24), "expected (kernels for the encodings|a payload of layout)"),
        (lambda w: w.pop("gpu"), "expected an object 'gpu'"),
        (lambda w: w["gpu"].update(table=0), "expected a 'table' that is a plain weight of i32"),
        (lambda w: w["gpu"].update(slot_bytes=1 << 40), "expected at most"),
        (lambda w: w["gpu"].update(slot_bytes=w["gpu"]["slot_bytes"] // 2), "expected kernels for the encodings"),
    ],
)
def test_wrong_manifests_of_weights(gpu_bundle, tmp_path, change, message):
    def edit(manifest: dict[str, Any], folder: Path) -> None:
        change(next(weight for weight in manifest["weights"] if weight["kind"] == "compressed"))

    with pytest.raises(ecf8.ExecutionError, match=message):
        ecf8.load(edited(gpu_bundle / "simt.ecf8", tmp_path / "b.ecf8", edit))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["kernels"][0].update(gpu="sm_9"), "expected an architecture such as sm_90 or sm_90a"),
        (lambda m: m["kernels"][0].update(format="ptx"), "expected format 'llvm-ir', got 'ptx'"),
        (lambda m: m["required_features"].append("later"), 'features that this runtime knows, got "later"'),
        (lambda m: m["required_features"].clear(), "expected required feature \"gpu_kernels\" for target 'simt'"),
    ],
)
def test_wrong_manifests(gpu_bundle, tmp_path, change, message):
    bundle = edited(gpu_bundle / "simt.ecf8", tmp_path / "b.ecf8", lambda manifest, folder: change(manifest))
    with pytest.raises(ecf8.ExecutionError, match=message):
        ecf8.load(bundle)


def test_missing_kernels(gpu_bundle, tmp_path):
    """A program may have none, one that reads and writes single elements; so it is known at the first launch."""
    bundle = edited(gpu_bundle / "simt.ecf8", tmp_path / "b.ecf8", lambda manifest, folder: manifest.update(kernels=[]))
    with pytest.raises(ecf8.ExecutionError, match=r"launches kernel '.*': expected kernels for GPUs in the manifest"):
        ecf8.load(bundle)(torch.randn(2, 128).bfloat16())


def test_damaged_kernels_are_refused(gpu_bundle, tmp_path):
    def edit(manifest: dict[str, Any], folder: Path) -> None:
        path = folder / manifest["kernels"][0]["path"]
        path.write_bytes(path.read_bytes()[:-1] + b" ")

    bundle = edited(gpu_bundle / "simt.ecf8", tmp_path / "b.ecf8", edit)
    with pytest.raises(ecf8.ExecutionError, match="expected checksum"):
        ecf8.load(bundle)


def test_faulting_kernel_is_named_and_the_process_goes_on(gpu_bundle, tmp_path):
    """Kernels that write to an address that is none."""

    def edit(manifest: dict[str, Any], folder: Path) -> None:
        kernels = manifest["kernels"][0]
        path = folder / kernels["path"]
        text = path.read_text()
        nowhere = r"\1 inttoptr (i64 4096 to ptr\2)"
        path.write_text(re.sub(r"(store (?:float|bfloat|i16) \S+, ptr((?: addrspace\(1\))?)) %[\w.]+", nowhere, text))
        kernels["bytes"] = path.stat().st_size
        kernels["xxh3"] = xxh3(path.read_bytes())

    x = torch.randn(2, 128).bfloat16()
    broken = ecf8.load(edited(gpu_bundle / "simt.ecf8", tmp_path / "b.ecf8", edit))
    whole = ecf8.load(gpu_bundle / "simt.ecf8")
    expected = whole(x)
    with pytest.raises(ecf8.ExecutionError, match=r"kernel .*ecf8|kernel main"):
        broken(x)
    assert same_bytes(whole(x), expected)


@pytest.mark.parametrize(
    ("bundle", "device", "message"),
    [
        ("simt", "cuda:0", "expected a device for a bundle of target simt, got 'cuda:0'; compile with --target=cuda"),
        ("simt", "cpu", "expected a GPU for a bundle of target cuda or simt, got 'cpu'"),
        ("simt", "gpu", "expected a device cpu, cuda:<number> or simt, got 'gpu'"),
        ("simt", "cuda:-1", "expected a device"),
        ("simt", "cuda:1x", "expected a device"),
        ("cuda", "simt", "compile with --target=simt"),
    ],
)
def test_wrong_devices(gpu_bundle, bundle, device, message):
    with pytest.raises(ecf8.ExecutionError, match=f"^option device: .*{message}"):
        ecf8.load(gpu_bundle / f"{bundle}.ecf8", device=device)


@pytest.mark.parametrize(("device", "name"), [(torch.device("cuda", 1), "cuda:1"), (torch.device("cuda"), "cuda:0")])
def test_devices_of_torch(gpu_bundle, device, name):
    with pytest.raises(ecf8.ExecutionError, match=f"got '{name}'"):
        ecf8.load(gpu_bundle / "simt.ecf8", device=device)


@pytest.mark.parametrize("device", [0, b"simt"])
def test_devices_of_other_types(gpu_bundle, device):
    with pytest.raises(TypeError, match=r"expected device as a string .* or as a torch\.device, got .*(int|bytes)"):
        ecf8.load(gpu_bundle / "simt.ecf8", device=device)


def test_cpu_bundle_on_a_gpu(bundle):
    with pytest.raises(ecf8.ExecutionError, match="expected device cpu for a bundle of target cpu"):
        ecf8.load(bundle, device="cuda:0")
    assert ecf8.load(bundle, device="cpu").device == "cpu"


def test_bundles_for_another_machine(tmp_path, monkeypatch):
    """Where the GPU is elsewhere, a bundle can be had all the same."""
    module, x = quantize_linears(mlp(64, 48).to(torch.bfloat16)), torch.randn(2, 64).bfloat16()
    kept, bundle = tmp_path / "kept.ecf8", tmp_path / "m.ecf8"
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("ECF8_DEVICE", "cuda:0")
        with pytest.raises(ecf8.ExecutionError, match=r"got 'cuda:0'.*; ecf8\.compile_bundle writes a bundle"):
            ecf8.compile(module, (x,), target="simt", options=SMALL)
        with pytest.raises(ecf8.ExecutionError, match=r"kept\.ecf8' is written, but cannot be loaded here: .*'cuda:0'"):
            ecf8.compile(module, (x,), target="simt", options=SMALL, output=kept)
        assert ecf8.compile_bundle(module, (x,), bundle, target="simt", options=SMALL) == bundle
    assert same_bytes(ecf8.load(kept)(x), ecf8.load(bundle)(x))
    assert ecf8.load(bundle).stats()["fp8"]


def test_device_of_the_environment(gpu_bundle, monkeypatch):
    monkeypatch.setenv("ECF8_DEVICE", "nothing")
    with pytest.raises(ecf8.ExecutionError, match="ECF8_DEVICE: expected a device"):
        ecf8.load(gpu_bundle / "simt.ecf8")
    assert ecf8.load(gpu_bundle / "simt.ecf8", device="simt").device == "simt (simt)"
