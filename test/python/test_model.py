"""Loading, calling and saving bundles."""

from __future__ import annotations

import gc
import json
import shutil
import threading
from pathlib import Path

import ecf8
import numpy
import pytest
import torch
from conftest import QUICK, mlp, same_bytes


def test_torch_in_torch_out_and_numpy_alike(bundle: Path):
    model = ecf8.load(bundle)
    x = torch.randn(3, 48)
    y = model(x)
    assert isinstance(y, torch.Tensor) and y.shape == (3, 32)
    array = model(x.numpy())
    assert isinstance(array, numpy.ndarray) and array.tobytes() == y.numpy().tobytes()
    assert y.data_ptr() % 64 == 0 and array.ctypes.data % 64 == 0  # the runtime's own memory, not a copy


def test_layout_of_inputs_does_not_matter(bundle: Path):
    model = ecf8.load(bundle)
    x = torch.randn(3, 48)
    expected = model(x)
    assert same_bytes(model(x.t().contiguous().t()), expected)
    assert same_bytes(model(torch.randn(6, 48)[::2].copy_(x)), expected)
    assert same_bytes(model(x.requires_grad_()), expected)
    unaligned = (
        numpy.frombuffer(b"\0" + x.detach().numpy().tobytes(), numpy.uint8)[1:].view(numpy.float32).reshape(3, 48)
    )
    assert model(unaligned).tobytes() == expected.numpy().tobytes()


def test_outputs_outlive_the_model(bundle: Path):
    model = ecf8.load(bundle)
    outputs = [model(torch.randn(3, 48)) for _ in range(10)]
    copies = [output.clone() for output in outputs]
    array = model(numpy.ones((3, 48), numpy.float32))
    kept, view = array.copy(), array[1:]
    del model, array
    gc.collect()
    assert all(map(same_bytes, outputs, copies))
    assert numpy.array_equal(view, kept[1:])


def test_signature(bundle: Path):
    function = ecf8.load(bundle)["main"]
    assert function.inputs == (ecf8.model.TensorSpec("f32", (None, 48)),)
    assert function.outputs == (ecf8.model.TensorSpec("f32", (None, 32)),)
    assert repr(function) == "<ecf8 function 'main': (?x48xf32) -> (?x32xf32)>"
    assert "main" in repr(ecf8.load(bundle))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((), "1.* input|input.*1"),
        ((torch.ones(3, 48), torch.ones(3, 48)), "1.* input|input.*1"),
        ((torch.ones(48),), "rank 2|2 dimensions"),
        ((torch.ones(3, 47),), "48"),
        ((torch.ones(3, 48, dtype=torch.float64),), "f32.*f64"),
        ((torch.ones(0, 48),), "expected dimension 0 of input 0 to be at least 1"),
        ((torch.ones(101, 48),), "expected dimension 0 of input 0 to be at most 100"),
        (([1.0],), "expected input 0 to be a torch.Tensor or numpy.ndarray, got list"),
        ((torch.ones(3, 48, dtype=torch.complex64),), "expected input 0 of a supported dtype, got torch.complex64"),
        ((numpy.ones((3, 48), ">f4"),), "expected input 0 of a supported dtype in native byte order, got >f4"),
        ((torch.ones(3, 48, device="meta"),), "expected input 0 on the CPU, got a tensor on 'meta'"),
    ],
)
def test_wrong_inputs(bundle: Path, inputs, message):
    model = ecf8.load(bundle)
    with pytest.raises(ecf8.ExecutionError, match=message):
        model(*inputs)
    assert model(torch.ones(1, 48)).shape == (1, 32)  # the model is as usable as before


def test_unknown_entry_point(bundle: Path):
    with pytest.raises(ecf8.ExecutionError, match=r"expected the name of an entry point \('main'\), got 'prefill'"):
        ecf8.load(bundle)["prefill"]


def test_single_entry_point_of_another_name():
    points = {"encode": ecf8.EntryPoint((torch.ones(1, 4),))}
    model = ecf8.compile(mlp(4, 4), entry_points=points, **QUICK)
    assert model(torch.ones(1, 4)).shape == (1, 4)


def test_save_and_load(bundle: Path, tmp_path):
    model = ecf8.load(bundle)
    copy = model.save(tmp_path / "copy.ecf8")
    x = torch.randn(3, 48)
    loaded = ecf8.load(copy)
    assert same_bytes(loaded(x), model(x))
    assert loaded.stats() == model.stats()
    with pytest.raises(ecf8.Error, match="pass overwrite=True to replace it"):
        model.save(copy)
    model.save(copy, overwrite=True)
    assert same_bytes(loaded(x), model(x))  # still mapped: the old files live as long as their reader
    assert [path.name for path in tmp_path.iterdir()] == ["copy.ecf8"]


def test_save_refuses_what_is_not_a_bundle(bundle: Path, tmp_path):
    model = ecf8.load(bundle)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "keep.txt").write_text("mine")
    with pytest.raises(ecf8.Error, match=r"expected no file or an ecf8 bundle at '.*notes', got something else"):
        model.save(tmp_path / "notes", overwrite=True)
    assert (tmp_path / "notes" / "keep.txt").read_text() == "mine"
    with pytest.raises(ecf8.Error, match=r"could not write the bundle '/nowhere/x\.ecf8'"):
        model.save("/nowhere/x.ecf8")
    with pytest.raises(ecf8.Error, match=r"could not write the bundle '/proc/x\.ecf8'"):
        model.save("/proc/x.ecf8")


def test_temporary_bundle_goes_away_with_the_model():
    model = ecf8.compile(mlp(4, 4), (torch.ones(1, 4),), **QUICK)
    path = model.path
    assert path.is_dir()
    del model
    gc.collect()
    assert not path.exists() and not path.parent.exists()


def damaged(bundle: Path, folder: Path, name: str, change) -> Path:
    copy = folder / "damaged.ecf8"
    shutil.copytree(bundle, copy)
    content = bytearray((copy / name).read_bytes())
    (copy / name).write_bytes(change(content))
    return copy


def flip_last(content: bytearray) -> bytes:
    content[-70] ^= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("weights.safetensors", flip_last, "corrupt file"),
        ("weights.safetensors", lambda content: bytes(content[:-1]), "corrupt file"),
        ("weights.safetensors", lambda content: b"", "corrupt file"),
        ("manifest.json", lambda content: bytes(content[: len(content) // 2]), "corrupt file"),
        ("manifest.json", lambda content: bytes(content).replace(b'"version": 1', b'"version": 99', 1), "unsupported"),
    ],
    ids=["altered", "truncated", "empty", "half a manifest", "newer version"],
)
def test_damaged_bundle(bundle: Path, tmp_path, name, change, code):
    with pytest.raises(ecf8.ExecutionError) as raised:
        ecf8.load(damaged(bundle, tmp_path, name, change))
    assert raised.value.code == code
    assert name in str(raised.value)


def test_missing_bundle(tmp_path):
    with pytest.raises(ecf8.ExecutionError) as raised:
        ecf8.load(tmp_path / "none.ecf8")
    assert raised.value.code == "not found" and "none.ecf8" in str(raised.value)


def test_missing_stats(bundle: Path, tmp_path):
    copy = ecf8.load(bundle).save(tmp_path / "copy.ecf8")
    (copy / "stats.json").unlink()
    with pytest.raises(ecf8.Error, match=r"expected the compiler's statistics at '.*stats\.json'"):
        ecf8.load(copy).stats()


def test_calls_from_many_threads(bundle: Path):
    model = ecf8.load(bundle)
    inputs = [torch.randn(1 + i % 5, 48) for i in range(8)]
    expected = [model(x) for x in inputs]
    failures: list[str] = []

    def work(index: int) -> None:
        for round_number in range(40):
            number = (index + round_number) % len(inputs)
            if not same_bytes(model(inputs[number]), expected[number]):
                failures.append(f"thread {index} input {number}")
            try:
                model(torch.ones(index + 1))
                failures.append("no error")
            except ecf8.ExecutionError as error:
                if "input 0" not in str(error):
                    failures.append(str(error))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_number_of_threads(bundle: Path):
    model, x = ecf8.load(bundle), torch.randn(50, 48)
    expected = model(x)
    try:
        ecf8.set_threads(1)
        assert same_bytes(model(x), expected)
        with pytest.raises(ecf8.ExecutionError):
            ecf8.set_threads(-1)
    finally:
        ecf8.set_threads(0)


def test_manifest_is_json(bundle: Path):
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["format"] == "ecf8-bundle" and [entry["name"] for entry in manifest["entry_points"]] == ["main"]
