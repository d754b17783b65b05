"""ecf8-pack on whole checkpoints: conventions, folders as the Hub has them, and loaders that do not know the format."""

from __future__ import annotations

import json
import random
import string
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoints import checksums, gaussian, report_of, run_pack, write_shards
from conventions import CONVENTIONS
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_conventions_round_trip(convention: str, tmp_path: Path) -> None:
    source, packed, restored = tmp_path / "source", tmp_path / "packed", tmp_path / "restored"
    CONVENTIONS[convention](source)
    before = checksums(source)
    report = report_of("compress", source, packed)
    assert report["payload_bytes"] < 0.95 * report["fp8_elements"]
    report_of("verify", packed)
    report_of("decompress", packed, restored)
    assert checksums(restored) == before
    assert checksums(source) == before
    assert set(checksums(packed)) == set(before)
    run_pack("diff", source, packed)
    for file in packed.glob("*.safetensors"):
        with safe_open(file, "pt") as stored, safe_open(source / file.name, "pt") as original:
            for name in original.keys():  # noqa: SIM118
                expected, got = original.get_tensor(name), stored.get_tensor(name)
                if expected.dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
                    assert got.dtype == torch.uint8 and got.ndim == 1 and got.shape != expected.shape
                else:
                    assert torch.equal(got, expected)


def test_same_bytes_for_any_jobs_and_parts(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shards = [{f"{shard}.{i}": gaussian(300 + 40 * i, 900) for i in range(3)} for shard in range(4)]
    write_shards(source, shards, {})
    run_pack("compress", source, tmp_path / "whole", "--jobs=1")
    expected = checksums(tmp_path / "whole")
    run_pack("compress", source, tmp_path / "many", "--jobs=8")
    for part in (2, 3, 1):
        run_pack("compress", source, tmp_path / "parts", f"--part={part}/3")
    assert checksums(tmp_path / "many") == expected
    assert checksums(tmp_path / "parts") == expected
    run_pack("convert", tmp_path / "whole", tmp_path / "cpu", "--for=cpu")
    run_pack("compress", source, tmp_path / "direct", "--for=cpu")
    assert checksums(tmp_path / "cpu") == checksums(tmp_path / "direct") != expected


@pytest.mark.parametrize(
    ("use", "codec"),
    [
        ("--for=sm_80", "pairs"),
        ("--for=sm_89", "pairs"),
        ("--for=sm_90", "quads"),
        ("--for=sm_90a", "quads"),
        ("--for=sm_100", "quads"),
        ("--codec=classic", "classic"),
    ],
)
def test_encodings_for_gpus(use: str, codec: str, tmp_path: Path) -> None:
    source, packed = tmp_path / "source", tmp_path / "packed"
    weights = {"a": gaussian(300, 900), "b": gaussian(17, 129, dtype=torch.float8_e5m2), "norm": torch.ones(7)}
    write_shards(source, [weights], {})
    run_pack("compress", source, packed, use)
    run_pack("verify", packed)
    run_pack("diff", source, packed)
    [file] = json.loads(run_pack("inspect", packed, "--json").stdout)["files"]
    assert file["encoding"] == use.partition("=")[2]
    assert {t["name"]: t["stored_as"] for t in file["tensors"]} == {"a": codec, "b": "raw", "norm": "plain"}
    run_pack("decompress", packed, tmp_path / "restored")
    assert checksums(tmp_path / "restored") == checksums(source)
    # From any encoding to any other, the same as from the original.
    for other in ("--for=storage", "--for=cpu", "--codec=quads", "--codec=pairs", "--codec=classic", "--codec=raw"):
        name = other.replace("=", "")
        run_pack("convert", packed, tmp_path / name, other)
        run_pack("compress", source, tmp_path / f"direct{name}", other, "--jobs=3")
        assert checksums(tmp_path / name) == checksums(tmp_path / f"direct{name}")
        run_pack("convert", tmp_path / name, tmp_path / f"back{name}", use)
        assert checksums(tmp_path / f"back{name}") == checksums(packed)


def test_a_snapshot_folder_of_links(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc"
    CONVENTIONS["qwen3"](blobs)
    (blobs / "tokenizer.model").write_bytes(bytes(range(256)))
    snapshot.mkdir(parents=True)
    for file in blobs.iterdir():
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    (snapshot / "transformer").mkdir()
    (snapshot / "transformer" / "model.safetensors").symlink_to("../../../blobs/model-00001-of-00001.safetensors")
    run_pack("compress", snapshot, tmp_path / "packed")
    run_pack("decompress", tmp_path / "packed", tmp_path / "restored")
    assert checksums(tmp_path / "restored") == checksums(snapshot)
    assert not any(path.is_symlink() for path in (tmp_path / "packed").rglob("*"))


def _linear(tmp_path: Path) -> tuple[nn.Module, Path]:
    """A model with FP8 parameters and a compressed file of its state."""
    model = nn.Sequential(nn.Linear(64, 96), nn.Linear(96, 32)).to(torch.float8_e4m3fn)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    run_pack("compress", tmp_path / "model.safetensors", tmp_path / "packed.safetensors")
    return model, tmp_path / "packed.safetensors"


@pytest.mark.parametrize("strict", [True, False])
def test_plain_loaders_refuse_a_compressed_file(strict: bool, tmp_path: Path) -> None:
    model, packed = _linear(tmp_path)
    with pytest.raises(RuntimeError, match=r"(?s)size mismatch for 0\.weight.*size mismatch for 0\.bias"):
        model.load_state_dict(load_file(packed), strict=strict)


def test_transformers_refuses_a_compressed_folder(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2, vocab_size=100
    )
    model = LlamaForCausalLM(config)
    source, packed = tmp_path / "source", tmp_path / "packed"
    model.save_pretrained(source)
    state = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(state, source / "model.safetensors", metadata={"format": "pt"})
    LlamaForCausalLM.from_pretrained(source)  # the plain one loads
    run_pack("compress", source, packed)
    with pytest.raises(RuntimeError, match=r"size mismatch|mismatched|shape"):
        LlamaForCausalLM.from_pretrained(packed)


def test_stats_are_near_what_compress_writes(tmp_path: Path) -> None:
    CONVENTIONS["qwen3"](tmp_path / "source")
    for sample in ("256kB", "all"):
        stats = report_of("stats", tmp_path / "source", f"--sample={sample}")
        for encoding in ("storage", "huffman", "planes", "quads", "pairs"):
            flag = "--for=storage" if encoding == "storage" else f"--codec={encoding}"
            packed = report_of("compress", tmp_path / "source", tmp_path / encoding, flag)
            error = (stats["sum"][f"{encoding}_bytes"] - packed["payload_bytes"]) * 8 / packed["fp8_elements"]
            assert abs(error) < 0.03, f"{encoding}: {error} bits per weight"
    assert stats["read_bytes"] == stats["sum"]["elements"] == 1024 * 4096
    # The figures of a compressed folder are those of its original.
    assert report_of("stats", tmp_path / "planes", "--sample=all")["sum"] == stats["sum"]


def test_stats_with_a_budget(tmp_path: Path) -> None:
    CONVENTIONS["qwen3"](tmp_path / "source")
    config = json.loads((tmp_path / "source" / "config.json").read_text())
    text = run_pack("stats", tmp_path / "source", "--budget=64MiB", "--context=16").stdout
    assert "LlamaForCausalLM in 67.11 MB:" in text
    lines = {line["weights"]: line for line in report_of(
        "stats", tmp_path / "source", "--budget=64MiB", "--context=16")["budget"]["lines"]}  # fmt: skip
    plain = lines["as they are"]
    work = 16 * (6 * 4096 + 2 * 12288) * 2
    per_token = 2 * config["num_key_value_heads"] * config["head_dim"] * 2
    assert plain["tokens"] == (64 * 2**20 - plain["weight_bytes"] - work) // per_token
    assert plain["requests"] == plain["tokens"] // 16
    assert lines["huffman"]["tokens"] > lines["planes"]["tokens"] > plain["tokens"]
    assert "does not fit" in run_pack("stats", tmp_path / "source", "--budget=1MB").stdout


def _random_file(data: Any) -> bytes:
    """A safetensors file with any tensors, key order, padding and metadata."""
    sizes = {"F8_E4M3": 1, "F8_E5M2": 1, "BF16": 2, "F32": 4, "U8": 1, "F8_E8M0": 1, "BOOL": 1, "I64": 8}
    names = st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), unique=True, max_size=6
    )
    entries, body, seed = {}, b"", data.draw(st.integers(0, 2**32))
    generator = random.Random(seed)
    for name in data.draw(names):
        if name == "__metadata__":
            continue
        dtype = data.draw(st.sampled_from(list(sizes)))
        shape = data.draw(st.lists(st.integers(0, 40), max_size=4))
        count = sizes[dtype]
        for dimension in shape:
            count *= dimension
        if count > 100_000:
            shape, count = [3], 3 * sizes[dtype]
        few = generator.random() < 0.5
        content = bytes(generator.choices(b"\x30\x31\xb8\x28" if few else bytes(range(256)), k=count))
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + count]}
        body += content
    items = list(entries.items())
    generator.shuffle(items)
    if data.draw(st.booleans()):
        letters = st.text(string.printable, max_size=10)
        items.insert(0, ("__metadata__", data.draw(st.dictionaries(letters, letters, max_size=3))))
    header = json.dumps(
        dict(items), ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.sampled_from([None, 1]))
    )
    encoded = header.encode() + b" " * data.draw(st.integers(0, 9))
    return struct.pack("<Q", len(encoded)) + encoded + body


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_file_comes_back(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    source, packed, restored = folder / "a.safetensors", folder / "b.safetensors", folder / "c.safetensors"
    source.write_bytes(_random_file(data))
    encoding = data.draw(st.sampled_from(["storage", "cpu", "sm_89", "sm_90a"]))
    report = report_of("compress", source, packed, f"--for={encoding}")
    if "nothing" in report:
        assert not packed.exists()
        return
    run_pack("verify", packed)
    run_pack("decompress", packed, restored)
    assert restored.read_bytes() == source.read_bytes()
