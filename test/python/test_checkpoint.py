"""`ecf8.checkpoint`: what was saved comes back, in parts and as a whole, and other libraries can read it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ecf8
import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from checkpoints import run_pack
from conftest import same_bytes
from conventions import CONVENTIONS
from ecf8 import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


def every_code(*shape: int, dtype: torch.dtype = E4M3) -> torch.Tensor:
    count = int(np.prod(shape))
    return torch.arange(count).remainder(256).to(torch.uint8).view(dtype).reshape(shape)


def tensors() -> dict[str, torch.Tensor]:
    return {
        "weight": (torch.randn(160, 300) * 20).to(E4M3),
        "codes": every_code(3, 33, 100),
        "e5m2": every_code(512, dtype=E5M2),
        "scalar": torch.tensor(1.5).to(E4M3),
        "empty": torch.zeros(0, 7).to(E5M2),
        "scale": torch.rand(160, 1),
        "norm": torch.randn(300).to(torch.bfloat16),
        "mask": torch.tensor([True, False]),
        "powers": torch.arange(256).to(torch.uint8).view(torch.float8_e8m0fnu),
        "count": torch.tensor(7),
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    checkpoint.save(tensors(), path, metadata={"format": "pt", "note": "ä"})
    return path


@pytest.fixture
def hook() -> Iterator[None]:
    checkpoint.enable()
    yield
    checkpoint.disable()


def equal(left: torch.Tensor, right: torch.Tensor) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and same_bytes(left, right)


def test_tensors_come_back(file: Path) -> None:
    torch.manual_seed(0)
    given = tensors()
    checkpoint.save(given, file, overwrite=True, metadata={"format": "pt", "note": "ä"})
    assert checkpoint.is_compressed(file)
    with checkpoint.open(file) as opened:
        assert set(opened) == set(given)
        assert len(opened) == len(given)
        assert "weight" in opened
        assert opened.metadata() == {"format": "pt", "note": "ä"}
        for name, tensor in given.items():
            assert equal(opened[name], tensor), name
        info = opened.info("weight")
        assert (info.dtype, info.shape, info.size_bytes) == ("F8_E4M3", (160, 300), 48000)
        assert info.encoding == "huffman"
        assert info.stored_bytes < 48000
        assert opened.info("norm").encoding is None
        with pytest.raises(KeyError, match=r"no tensor 'other' in '.*model\.safetensors'"):
            opened["other"]


def test_numpy(file: Path, tmp_path: Path) -> None:
    opened = checkpoint.open(file, "np")
    assert opened["weight"].dtype == ml_dtypes.float8_e4m3fn
    assert opened["norm"].dtype == ml_dtypes.bfloat16
    assert opened["codes"].view(np.uint8).tobytes() == bytes(i % 256 for i in range(9900))
    array = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e4m3fn).reshape(8, 32)
    checkpoint.save({"a": array}, tmp_path / "a.safetensors")
    assert checkpoint.open(tmp_path / "a.safetensors", "np")["a"].tobytes() == array.tobytes()


@pytest.mark.parametrize("preset", ["storage", "cpu", "sm_89", "sm_90a", "huffman", "planes", "quads", "raw"])
def test_the_plain_file_comes_back(preset: Any, tmp_path: Path) -> None:
    given, plain, packed = tensors(), tmp_path / "plain.safetensors", tmp_path / "packed.safetensors"
    given["wide"] = (torch.randn(64, 1024) * 20).to(E4M3)  # without padding in any order
    safetensors.torch.save_file(given, plain, metadata={"format": "pt"})
    checkpoint.save(given, packed, metadata={"format": "pt"}, preset=preset)
    with checkpoint.open(plain) as left, checkpoint.open(packed) as right:
        assert not checkpoint.is_compressed(plain)
        assert list(left) == list(right) == left.offset_keys()
        assert all(equal(left[name], right[name]) for name in left)
        assert right.info("wide").encoding == {
            "storage": "huffman", "cpu": "planes", "sm_89": "pairs", "sm_90a": "quads",
        }.get(preset, preset)  # fmt: skip


INDICES = [
    slice(None), slice(3, 40), slice(33, 33), slice(50, 10), slice(-20, None), slice(None, None, 2), 0, -1, ...,
    (), (slice(31, 65), slice(5, 7)), (slice(None), 3), (..., 3), (5, 6), (slice(None), slice(None, None, 3)), None,
    [1, 2], (slice(2, 4), None),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_slices(index: Any, file: Path) -> None:
    with checkpoint.open(file) as opened:
        part = opened.get_slice("weight")
        assert (part.get_shape(), part.get_dtype()) == ([160, 300], "F8_E4M3")
        whole = opened["weight"].view(torch.uint8)
        assert part[index].view(torch.uint8).equal(whole[index])
        assert opened.get_slice("norm")[1:3].equal(opened["norm"][1:3])


def test_slices_out_of_range(file: Path) -> None:
    with checkpoint.open(file) as opened:
        with pytest.raises(IndexError):
            opened.get_slice("weight")[160]
        with pytest.raises(IndexError):
            opened.get_slice("scalar")[0]
        assert equal(opened.get_slice("scalar")[...], opened["scalar"])
        assert opened.get_slice("empty")[:].shape == (0, 7)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_tensor(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    shape = data.draw(st.lists(st.integers(0, 70), max_size=4).filter(lambda sizes: np.prod(sizes) < 200_000))
    seed = data.draw(st.integers(0, 2**32 - 1))
    codes = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    if data.draw(st.booleans()):
        codes &= 0x8F | 0x30  # few exponents
    tensor = torch.from_numpy(np.asarray(codes)).view(data.draw(st.sampled_from([E4M3, E5M2])))
    path = tmp_path_factory.mktemp("any") / "t.safetensors"
    checkpoint.save({"t": tensor}, path, preset=data.draw(st.sampled_from(["storage", "cpu", "raw"])))
    with checkpoint.open(path, threads=data.draw(st.integers(1, 4))) as opened:
        assert equal(opened["t"], tensor)
        if shape:
            begin = data.draw(st.integers(0, shape[0]))
            end = data.draw(st.integers(begin, shape[0]))
            assert equal(opened.get_slice("t")[begin:end], tensor[begin:end])


def test_threads_read_side_by_side(file: Path) -> None:
    with checkpoint.open(file) as opened, ThreadPoolExecutor(8) as pool:
        names = list(opened) * 8
        for name, tensor in zip(names, pool.map(opened.get_tensor, names), strict=True):
            assert equal(tensor, opened[name]), name


def test_folders(tmp_path: Path) -> None:
    given = tensors()
    names = sorted(given)
    folder = tmp_path / "folder"
    folder.mkdir()
    checkpoint.save({name: given[name] for name in ["weight", *names[:3]]}, folder / "model-00001-of-00002.safetensors")
    rest = {name: given[name] for name in names if name not in ["weight", *names[:3]]}
    safetensors.torch.save_file(rest, folder / "model-00002-of-00002.safetensors")
    with checkpoint.open(folder) as opened:
        assert set(opened) == set(given)
        assert opened.info("weight").file == "model-00001-of-00002.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, folder / "other.safetensors")
    with pytest.raises(checkpoint.CheckpointError, match=r"tensor 'weight': expected it in one file, found it in"):
        checkpoint.open(folder)


def test_damage_is_found(file: Path) -> None:
    content = bytearray(file.read_bytes())
    with checkpoint.open(file) as opened:
        names = [name for name in opened if opened.info(name).encoding]
    header = int.from_bytes(content[:8], "little")
    place = content.index(b"ECF8", 8 + header) + 300  # in the first payload
    content[place] ^= 0x40
    file.write_bytes(content)
    with checkpoint.open(file) as opened, pytest.raises(ecf8.CheckpointError, match=r"tensor '.*': expected") as caught:
        for name in names:
            opened[name]
    assert caught.value.code == "corrupt file"


def test_a_file_that_changes(file: Path) -> None:
    with checkpoint.open(file) as opened:
        os.truncate(file, file.stat().st_size - 64)
        with pytest.raises(ecf8.CheckpointError):
            for name in opened:
                opened[name]


def test_errors(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ecf8.CheckpointError, match="expected framework 'pt' or 'np', got 'tf'"):
        checkpoint.open(file, "tf")  # type: ignore[arg-type]
    with pytest.raises(ecf8.CheckpointError, match="expected at least one thread, got 0"):
        checkpoint.open(file, threads=0)
    with pytest.raises(ecf8.CheckpointError, match=r"missing\.safetensors") as caught:
        checkpoint.open(tmp_path / "missing.safetensors")
    assert caught.value.code == "not found"
    (tmp_path / "none").mkdir()
    with pytest.raises(
        ecf8.CheckpointError, match=r"expected a \*\.safetensors file or a folder with some, found none"
    ):
        checkpoint.open(tmp_path / "none")
    opened = checkpoint.open(file)
    opened.close()
    opened.close()
    with pytest.raises(ecf8.CheckpointError, match=r"expected an open checkpoint, '.*' was closed"):
        opened["weight"]
    assert not checkpoint.is_compressed(tmp_path / "missing.safetensors")
    (tmp_path / "text").write_bytes(b"\xff" * 20)
    assert not checkpoint.is_compressed(tmp_path / "text")


def test_save_refuses(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(ecf8.CheckpointError, match="pass overwrite=True to replace it"):
        checkpoint.save(tensors(), file)
    with pytest.raises(ecf8.CheckpointError, match="expected at least one FP8 tensor"):
        checkpoint.save({"a": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(ecf8.CheckpointError, match="expected torch tensors or numpy arrays, got both"):
        checkpoint.save({"a": torch.zeros(3), "b": np.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(ecf8.CheckpointError, match=r"expected a preset out of storage, cpu, .* got 'zip'"):
        checkpoint.save(tensors(), tmp_path / "a.safetensors", preset="zip")  # type: ignore[arg-type]
    with pytest.raises(ecf8.CheckpointError, match="could not write"):
        checkpoint.save(tensors(), tmp_path / "no" / "a.safetensors")
    weight = every_code(64, 64)
    with pytest.raises(ecf8.CheckpointError, match=r"could not write .*share memory"):
        checkpoint.save({"a": weight, "b": weight}, tmp_path / "a.safetensors")
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_memory_is_given_back(file: Path) -> None:
    opened = checkpoint.open(file)
    weight = opened["weight"]
    free = opened._free
    del opened
    gc.collect()
    assert not free.alive
    assert weight.float().isfinite().all()  # has memory of its own


def test_the_hook(file: Path, hook: None) -> None:
    from safetensors import safe_open

    given = checkpoint.open(file)
    loaded = safetensors.torch.load_file(file)
    assert all(equal(loaded[name], given[name]) for name in given)
    arrays = safetensors.numpy.load_file(file)
    assert arrays["weight"].tobytes() == given["weight"].view(torch.uint8).numpy().tobytes()
    with safe_open(file, framework="pt") as opened:
        assert set(opened.keys()) == set(given)
        assert opened.metadata() == {"format": "pt", "note": "ä"}
    checkpoint.enable()  # a second time changes nothing
    checkpoint.disable()
    assert safetensors.torch.load_file(file)["weight"].dtype == torch.uint8
    checkpoint.enable()
    plain = file.with_name("plain.safetensors")
    safetensors.torch.save_file({"a": torch.ones(3)}, plain)
    assert safetensors.torch.load_file(plain)["a"].equal(torch.ones(3))


def test_transformers(tmp_path: Path, hook: None) -> None:
    """A block-quantized Qwen3 from a compressed folder is the model from the plain one."""
    from transformers import FineGrainedFP8Config, Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        hidden_size=256, intermediate_size=512, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        head_dim=128, vocab_size=128, tie_word_embeddings=False,
    )  # fmt: skip
    state = {}
    for name, tensor in Qwen3ForCausalLM(config).to(torch.bfloat16).state_dict().items():
        if name.startswith("model.layers") and tensor.ndim == 2:
            rows, columns = tensor.shape[0] // 128, tensor.shape[1] // 128
            state[name] = (tensor.float() * 400).to(E4M3)
            state[name + "_scale_inv"] = torch.rand(rows, columns) / 400
        else:
            state[name] = tensor
    config.quantization_config = FineGrainedFP8Config(weight_block_size=(128, 128)).to_dict()
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    for folder in (plain, packed):
        folder.mkdir()
        config.architectures = ["Qwen3ForCausalLM"]
        config.save_pretrained(folder)
    safetensors.torch.save_file(state, plain / "model.safetensors", metadata={"format": "pt"})
    checkpoint.save(state, packed / "model.safetensors", metadata={"format": "pt"})
    dequantize = FineGrainedFP8Config(weight_block_size=(128, 128), dequantize=True)
    models = [
        Qwen3ForCausalLM.from_pretrained(folder, quantization_config=dequantize, dtype=torch.bfloat16)
        for folder in (plain, packed)
    ]
    left, right = (model.state_dict() for model in models)
    assert left.keys() == right.keys()
    assert all(equal(left[name], right[name]) for name in left)
    assert left["model.layers.0.mlp.up_proj.weight"].dtype == torch.bfloat16
    ids = torch.arange(7)[None]
    assert same_bytes(models[0](ids).logits, models[1](ids).logits)


@pytest.mark.parametrize("convention", ["compressed-tensors, rows", "compressed-tensors, blocks"])
def test_compressed_tensors(convention: str, tmp_path: Path, hook: None) -> None:
    """The library that defines the convention dequantizes the model from a compressed folder as from the plain one."""
    from transformers import AutoModelForCausalLM, CompressedTensorsConfig

    plain, packed = tmp_path / "plain", tmp_path / "packed"
    CONVENTIONS[convention](plain)
    run_pack("compress", plain, packed)
    name = "model.layers.0.mlp.up_proj.weight"
    for options, dtype in (
        ({}, E4M3),
        ({"quantization_config": CompressedTensorsConfig(dequantize=True)}, torch.bfloat16),
    ):
        models = [AutoModelForCausalLM.from_pretrained(folder, **options) for folder in (plain, packed)]
        left, right = (model.state_dict() for model in models)
        assert left.keys() == right.keys()
        assert all(equal(left[key], right[key]) for key in left)
        assert left[name].dtype == dtype
        ids = torch.arange(7)[None]
        assert same_bytes(models[0](ids).logits, models[1](ids).logits)  # dequantizes now, if not before
        assert models[1].state_dict()[name].abs().max() < 1


def test_diffusers(tmp_path: Path, hook: None) -> None:
    """An unscaled cast to FP8, as diffusion models are published."""
    from diffusers import FluxTransformer2DModel

    torch.manual_seed(0)
    model = FluxTransformer2DModel(
        in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=64, num_attention_heads=4,
        joint_attention_dim=256, pooled_projection_dim=256, axes_dims_rope=(16, 24, 24),
    )  # fmt: skip
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    model.to(E4M3).save_pretrained(plain)
    model.save_pretrained(packed)
    name = "diffusion_pytorch_model.safetensors"
    state = safetensors.torch.load_file(plain / name)
    assert {tensor.dtype for tensor in state.values()} == {E4M3}
    checkpoint.save(state, packed / name, metadata={"format": "pt"}, overwrite=True)
    assert (packed / name).stat().st_size < (plain / name).stat().st_size
    checkpoint.disable()
    with pytest.raises(Exception, match=r"(?s)size|shape"):  # what a program gets that does not know the format
        FluxTransformer2DModel.from_pretrained(packed)
    checkpoint.enable()
    left, right = (
        FluxTransformer2DModel.from_pretrained(folder, torch_dtype=torch.float32).state_dict()
        for folder in (plain, packed)
    )
    assert left.keys() == right.keys()
    assert all(equal(left[key], right[key]) for key in left)
