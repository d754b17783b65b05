"""ecf8-pack with bad input, a full disk and a sudden end: clear errors, and nothing that looks whole but is not."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import re
import resource
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoints import PACK, checksums, gaussian, report_of, run_pack, write_shards
from ecf8 import checkpoint
from safetensors.torch import save_file


def safetensors_bytes(header: str, data: bytes, length: int | None = None) -> bytes:
    encoded = header.encode()
    return struct.pack("<Q", len(encoded) if length is None else length) + encoded + data


def entry(name: str, begin: int, end: int, shape: list[int] | None = None, dtype: str = "F8_E4M3") -> str:
    body = {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}
    return f"{json.dumps(name)}: {json.dumps(body)}"


BAD_FILES = {
    "empty": (b"", "expected a safetensors file of at least 8 bytes"),
    "length beyond the file": (safetensors_bytes("{}", b"", 1000), "truncated?"),
    "length beyond the limit": (safetensors_bytes("{}", b"", 2**62), "expected a safetensors header length of 2 to"),
    "cut off": (safetensors_bytes("{" + entry("w", 0, 100) + "}", b"x" * 99), "truncated?"),
    "more bytes than tensors": (safetensors_bytes("{" + entry("w", 0, 4) + "}", b"x" * 9), "got 5 more bytes"),
    "overlap": (safetensors_bytes("{" + entry("a", 0, 4) + "," + entry("b", 2, 6) + "}", b"x" * 6), "no overlaps"),
    "hole": (safetensors_bytes("{" + entry("a", 0, 4) + "," + entry("b", 5, 6) + "}", b"x" * 6), "no holes"),
    "duplicate": (safetensors_bytes("{" + entry("a", 0, 4) + "," + entry("a", 4, 8) + "}", b"x" * 8), "occurs twice"),
    "shape of other size": (safetensors_bytes("{" + entry("a", 0, 4, [5]) + "}", b"x" * 4), "expected 5 bytes for"),
    "shape that overflows": (safetensors_bytes("{" + entry("a", 0, 4, [2**63, 4]) + "}", b"x" * 4), "below 2^61"),
    "unknown dtype": (safetensors_bytes("{" + entry("a", 0, 4, None, "F7") + "}", b"x" * 4), "expected a known dtype"),
    "zero byte": (safetensors_bytes("{" + entry("a", 0, 4) + "}\0]", b"x" * 4), "expected JSON, got a zero byte"),
    "no JSON": (safetensors_bytes("{nonsense", b""), "header: byte"),
    "not UTF-8": (struct.pack("<Q", 5) + b'{"\xff":', "header: byte"),
    "metadata that is no map": (safetensors_bytes('{"__metadata__": 3}', b""), "expected an object"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    content, message = BAD_FILES[name]
    source = tmp_path / "in.safetensors"
    source.write_bytes(content)
    for command in ("compress", "decompress", "convert"):
        assert message in run_pack(command, source, tmp_path / "out.safetensors", status=3).stderr
    for command in ("verify", "inspect", "stats"):
        assert message in run_pack(command, source, status=3).stderr
    assert os.listdir(tmp_path) == ["in.safetensors"]
    assert source.read_bytes() == content


def three_shards(folder: Path, rows: int = 512) -> None:
    torch.manual_seed(3)
    shards = [{f"{shard}.{i}": gaussian(rows, 1024) for i in range(2)} for shard in range(3)]
    write_shards(folder, shards, {"model_type": "test"})


def change_index(folder: Path, change: Callable[[dict[str, str]], object]) -> None:
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    change(index["weight_map"])
    path.write_text(json.dumps(index))


def test_wrong_indexes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    three_shards(source)
    change_index(source, lambda map: map.update({"0.0": "model-00002-of-00003.safetensors"}))
    assert (
        "expected tensor '0.0' in 'model-00002-of-00003"
        in run_pack("compress", source, tmp_path / "o", status=3).stderr
    )
    change_index(source, lambda map: map.update({"0.0": "model-00004-of-00003.safetensors"}))
    message = run_pack("compress", source, tmp_path / "o", status=3).stderr
    assert "expected the shard 'model-00004-of-00003.safetensors' beside the index, found none" in message
    change_index(source, lambda map: map.update({"0.0": 7}))
    assert "expected a file name for '0.0', got number" in run_pack("compress", source, tmp_path / "o", status=3).stderr
    (source / "model.safetensors.index.json").write_text("[]")
    assert "expected an object 'weight_map'" in run_pack("compress", source, tmp_path / "o", status=3).stderr
    assert not (tmp_path / "o").exists()


def test_missing_shards(tmp_path: Path) -> None:
    source, packed = tmp_path / "source", tmp_path / "packed"
    three_shards(source)
    run_pack("compress", source, packed)
    (packed / "model-00002-of-00003.safetensors").unlink()
    for command in (["verify", packed], ["decompress", packed, tmp_path / "restored"]):
        assert "expected the shard 'model-00002-of-00003.safetensors'" in run_pack(*command, status=3).stderr
    assert not (tmp_path / "restored").exists()
    # A link of a snapshot whose download did not finish.
    (source / "model-00001-of-00003.safetensors").unlink()
    (source / "model-00001-of-00003.safetensors").symlink_to("nowhere")
    assert "No such file" in run_pack("compress", source, tmp_path / "o", status=3).stderr


def test_nothing_to_compress(tmp_path: Path) -> None:
    def text(name: str, content: bytes) -> str:
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        (folder / name).write_bytes(content)
        out = run_pack("compress", folder, tmp_path / "out").stdout
        assert out == run_pack("stats", folder).stdout
        assert report_of("compress", folder, tmp_path / "out")["nothing"] == out.strip()
        return out

    assert "is a PyTorch pickle; convert it to safetensors first" in text("pytorch_model.bin", b"PK\3\4")
    assert "is a PyTorch pickle" in text("weights.pt", b"\x80\2}q")
    assert "is a GGUF file; ecf8-pack reads safetensors" in text("model.gguf", b"GGUF....")
    assert "has no *.safetensors file" in text("README.md", b"")
    save_file({"w": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "bf16.safetensors")
    for path in (tmp_path / "bf16.safetensors",):
        out = run_pack("compress", path, tmp_path / "out").stdout
        assert "has no tensor of dtype F8_E4M3 or F8_E5M2, only BF16; quantize the model to FP8 first" in out
    rank9 = "{" + entry("w", 0, 1, [1] * 9) + "}"
    (tmp_path / "rank9.safetensors").write_bytes(safetensors_bytes(rank9, b"x"))
    out = run_pack("compress", tmp_path / "rank9.safetensors", tmp_path / "out").stdout
    assert "with at most 8 dimensions and fewer than 2^63 elements, only F8_E4M3" in out
    (tmp_path / "single.bin").write_bytes(b"PK\3\4....")
    assert "PyTorch pickle" in run_pack("compress", tmp_path / "single.bin", tmp_path / "out").stdout
    assert not (tmp_path / "out").exists()


FOREIGN = {
    "zip": (b"PK\3\4\0\0\x08\x08" + bytes(40), "is a PyTorch pickle; convert it to safetensors first"),
    "pickle": (pickle.dumps({"w": [1.0] * 20}, protocol=2), "is a PyTorch pickle; convert it to safetensors first"),
    "framed pickle": (pickle.dumps({"w": [1.0] * 20}), "is a PyTorch pickle; convert it to safetensors first"),
    "GGUF": (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "is a GGUF file; ecf8-pack reads safetensors"),
}


@pytest.mark.parametrize("name", [*FOREIGN, "torch.save"])
def test_other_formats_by_their_content(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    if name == "torch.save":
        torch.save({"w": gaussian(64, 64)}, source / "model.safetensors")
    else:
        (source / "model.safetensors").write_bytes(FOREIGN[name][0])
    message = FOREIGN["zip" if name == "torch.save" else name][1]
    for path in (source, source / "model.safetensors"):
        for command in (["compress", path, tmp_path / "out"], ["stats", path]):
            out = run_pack(*command).stdout
            assert out == f"nothing to compress: {source / 'model.safetensors'} {message}\n"
        assert "nothing to decompress" in run_pack("decompress", path, tmp_path / "out").stdout
        assert message in run_pack("inspect", path).stdout
        with pytest.raises(checkpoint.CheckpointError, match="found none .*" + re.escape(message)):
            checkpoint.open(path)
    # Among files that can be read it is a mistake.
    save_file({"w": gaussian(64, 64)}, source / "other.safetensors")
    for command in (["compress", source, tmp_path / "out"], ["stats", source], ["verify", source]):
        error = run_pack(*command, status=3).stderr
        assert "model.safetensors: expected a safetensors file, got a " + message.split()[2] in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pad", [640, 896, 1152, 1408])
def test_a_header_whose_length_looks_like_a_pickle(pad: int, tmp_path: Path) -> None:
    header = ("{" + entry("w", 0, 4096, [64, 64]) + "}").ljust(pad)
    source = tmp_path / "model"  # without the name of a safetensors file
    source.write_bytes(safetensors_bytes(header, gaussian(64, 64).view(torch.uint8).numpy().tobytes()))
    run_pack("compress", source, tmp_path / "packed")
    run_pack("decompress", tmp_path / "packed", tmp_path / "restored")
    assert (tmp_path / "restored").read_bytes() == source.read_bytes()


def test_newer_version(tmp_path: Path) -> None:
    save_file({"w": gaussian(64, 64)}, tmp_path / "a.safetensors")
    run_pack("compress", tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    content = (tmp_path / "b.safetensors").read_bytes()
    (tmp_path / "c.safetensors").write_bytes(content.replace(b'"ecf8.version":"1.0"', b'"ecf8.version":"2.0"'))
    message = run_pack("decompress", tmp_path / "c.safetensors", tmp_path / "d", status=3).stderr
    assert "expected version 1.x of the format of compressed checkpoints, got '2.0'" in message
    assert "written by a newer ecf8-pack?" in message


def test_wrong_checksums(tmp_path: Path) -> None:
    save_file({"w": gaussian(256, 256), "s": torch.ones(9)}, tmp_path / "a.safetensors")
    run_pack("compress", tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    content = bytearray((tmp_path / "b.safetensors").read_bytes())
    for place, rule in ((len(content) - 1, "[meta_c3]"), (len(content) - 2000, "tensor 'w'")):
        damaged = content.copy()
        damaged[place] ^= 0x10
        (tmp_path / "c.safetensors").write_bytes(damaged)
        assert rule in run_pack("verify", tmp_path / "c.safetensors", status=3).stderr
        assert rule in run_pack("decompress", tmp_path / "c.safetensors", tmp_path / "d", status=3).stderr
        assert rule in run_pack("convert", tmp_path / "c.safetensors", tmp_path / "d", status=3).stderr
    # What a payload says of its elements, wrongly, where the elements are right: a NaN, another checksum.
    payload = content.index(b"ECF8\1")
    for place, rule in ((payload + 52, "[header_c15]"), (payload + 32, "[content_c1]")):
        damaged = content.copy()
        damaged[place] ^= 1
        (tmp_path / "c.safetensors").write_bytes(damaged)
        assert "[header_c6]" in run_pack("verify", tmp_path / "c.safetensors", status=3).stderr
        assert rule in run_pack("decompress", tmp_path / "c.safetensors", tmp_path / "d", status=3).stderr
        assert rule in run_pack("convert", tmp_path / "c.safetensors", tmp_path / "d", status=3).stderr
    assert not list(tmp_path.glob("d*"))


def test_full_disk(tmp_path: Path) -> None:
    source, packed = tmp_path / "source", tmp_path / "packed"
    three_shards(source)
    run_pack("compress", source, tmp_path / "whole")
    before = checksums(source)
    limit = 400_000  # bytes of a file, less than a shard takes

    def limit_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    message = run_pack("compress", source, packed, status=3, preexec_fn=limit_files).stderr
    assert "cannot write: File too large" in message
    assert list(packed.iterdir()) == []
    message = run_pack("decompress", tmp_path / "whole", packed, status=3, preexec_fn=limit_files).stderr
    assert "cannot write: File too large" in message
    assert list(packed.iterdir()) == []
    assert checksums(source) == before


def test_too_little_space(tmp_path: Path) -> None:
    size = 2**42
    header = "{" + entry("w", 0, size, [2**21, 2**21]) + "}"
    with (tmp_path / "huge.safetensors").open("wb") as file:
        file.write(safetensors_bytes(header, b""))
        file.truncate(8 + len(header) + size)
    message = run_pack("compress", tmp_path / "huge.safetensors", tmp_path / "out", status=3).stderr
    assert "bytes of space on the disk, got" in message
    assert not list(tmp_path.glob("out*"))


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([str(PACK), *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> bool:
    """Whether the condition came true while the process was running."""
    while process.poll() is None:
        if condition():
            return True
        time.sleep(0.0005)
    return False


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_killed_and_resumed(command: str, tmp_path: Path) -> None:
    source, target, expected = tmp_path / "source", tmp_path / "target", tmp_path / "expected"
    three_shards(source, rows=4096)
    if command == "decompress":
        run_pack("compress", source, tmp_path / "packed")
        source = tmp_path / "packed"
    run_pack(command, source, expected, "--jobs=1")
    before = checksums(source)
    kills = 0
    for shard in (1, 2, 3):
        partial = target / f"model-0000{shard}-of-00003.safetensors.ecf8-partial"
        process = start(command, source, target, "--jobs=1")
        if wait_for(lambda partial=partial: partial.exists(), process):
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        whole = {path.name for path in target.iterdir()}
        if process.returncode != 0:
            # What is there under its own name is finished, and the folder does not look whole.
            assert "model.safetensors.index.json" not in whole and "config.json" not in whole
            for name in whole & checksums(expected).keys():
                assert (target / name).read_bytes() == (expected / name).read_bytes()
    assert kills >= 2
    finished = {path.name: path.stat().st_mtime_ns for path in target.glob("*.safetensors")}
    report = report_of(command, source, target)
    actions = {file["name"]: file["action"] for file in report["files"]}
    for name, time_ns in finished.items():
        assert actions[name] == "finished before"
        assert (target / name).stat().st_mtime_ns == time_ns
    assert checksums(target) == checksums(expected)
    assert checksums(source) == before


@pytest.mark.parametrize("change", ["touch", "shorten", "replace"])
def test_source_that_changes(change: str, tmp_path: Path) -> None:
    source, packed = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"w": gaussian(16384, 4096)}, source)
    partial = tmp_path / "b.safetensors.ecf8-partial"
    process = start("compress", source, packed, "--jobs=1")
    assert wait_for(lambda: partial.exists(), process)
    if change == "touch":
        os.utime(source)
    elif change == "shorten":
        os.truncate(source, 1000)
    else:
        (tmp_path / "new").write_bytes(b"new")
        os.replace(tmp_path / "new", source)
    _, message = process.communicate()
    assert process.returncode == 3
    assert (
        b"changed while it was read" in message or b"cut off while it was read" in message or b"got a change" in message
    )
    assert not packed.exists() and not partial.exists()


def test_what_is_in_the_way(tmp_path: Path) -> None:
    source, packed = tmp_path / "source", tmp_path / "packed"
    three_shards(source)
    packed.mkdir()
    (packed / "config.json").write_text("another model")
    message = run_pack("compress", source, packed, status=3).stderr
    assert "config.json: expected no file or one that this command has written, got another; --force" in message
    assert os.listdir(packed) == ["config.json"]
    run_pack("compress", source, packed, "--force")
    run_pack("diff", source, packed)
    # Made for another purpose, or older than its source: not taken as finished.
    assert "--force overwrites it" in run_pack("compress", source, packed, "--for=cpu", status=3).stderr
    os.utime(source / "model-00002-of-00003.safetensors", (2e9, 2e9))
    assert "model-00002-of-00003.safetensors: expected no file" in run_pack("compress", source, packed, status=3).stderr


def test_a_file_that_another_process_writes(tmp_path: Path) -> None:
    save_file({"w": gaussian(64, 64)}, tmp_path / "a.safetensors")
    partial = tmp_path / "b.safetensors.ecf8-partial"
    with partial.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        message = run_pack("compress", tmp_path / "a.safetensors", tmp_path / "b.safetensors", status=3).stderr
        assert "another process is writing this file" in message
        # Lets go a moment later, as a process does that is killed while it writes.
        threading.Timer(0.3, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        run_pack("compress", tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert not partial.exists()


def test_the_source_is_never_replaced(tmp_path: Path) -> None:
    source = tmp_path / "source"
    three_shards(source)
    before = checksums(source)
    shard = source / "model-00001-of-00003.safetensors"
    assert "got the same file" in run_pack("compress", shard, shard, "--force", status=3).stderr
    for output in (source, source / "inside", tmp_path):
        assert "inside of the other" in run_pack("compress", source, output, "--force", status=3).stderr
    (tmp_path / "link").symlink_to(source)
    assert "inside of the other" in run_pack("compress", source, tmp_path / "link", "--force", status=3).stderr
    # Links in the output folder are replaced, not followed.
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / shard.name).symlink_to(shard)
    (tmp_path / "out" / "config.json").symlink_to(source / "config.json")
    run_pack("compress", source, tmp_path / "out", "--force")
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())
    assert checksums(source) == before


def test_command_lines(tmp_path: Path) -> None:
    for arguments, message in (
        ([], "A subcommand is required"),
        (["compress", "x"], "OUT is required"),
        (
            ["compress", "x", "y", "--for=gpu"],
            "expected storage, cpu, sm_80, sm_89, sm_90, sm_90a or sm_100, got 'gpu'",
        ),
        (
            ["compress", "x", "y", "--for=quads"],
            "expected storage, cpu, sm_80, sm_89, sm_90, sm_90a or sm_100, got 'quads'",
        ),
        (["convert", "x", "y", "--codec=sm_89"], "expected raw, huffman, planes, quads, pairs or classic, got 'sm_89'"),
        (["compress", "x", "y", "--codec=zip"], "expected raw, huffman, planes, quads, pairs or classic, got 'zip'"),
        (["compress", "x", "y", "--codec=raw", "--for=cpu"], "expected --for or --codec, got both"),
        (["compress", "x", "y", "--part=3/2"], "expected a part from 1/n to n/n, got '3/2'"),
        (["compress", "x", "y", "--part=1"], "expected a part from 1/n to n/n, got '1'"),
        (["verify", "x", "--jobs=0"], "expected 1 or more threads"),
        (["stats", "x", "--budget=lots"], "expected a size such as 24GiB or 500MB, got 'lots'"),
    ):
        assert message in run_pack(*arguments, status=2).stderr
    assert "No such file" in run_pack("compress", tmp_path / "none", tmp_path / "out", status=3).stderr
    for command in ("", "compress", "decompress", "convert", "verify", "inspect", "stats", "diff"):
        assert "Example" in run_pack(*command.split(), "--help").stdout
    assert run_pack("--version").stdout.startswith("ecf8-pack ")


def test_a_header_that_does_not_fit(tmp_path: Path) -> None:
    header = "{" + entry("w", 0, 4) + "}" + " " * 99_999_900
    (tmp_path / "a.safetensors").write_bytes(safetensors_bytes(header, b"x" * 4))
    message = run_pack("compress", tmp_path / "a.safetensors", tmp_path / "b.safetensors", status=3).stderr
    assert "expected a header that takes at most 100000000 bytes with the original's inside, got" in message
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_folders_that_are_not_checkpoints(tmp_path: Path) -> None:
    source = tmp_path / "source"
    three_shards(source)
    (tmp_path / "file").write_text("in the way")
    message = run_pack("compress", source, tmp_path / "file", status=3).stderr
    assert "expected a folder for the files of a folder, got a file" in message
    (source / "circle").symlink_to(source)
    message = run_pack("compress", source, tmp_path / "out", status=3).stderr
    assert "expected folders without a circle of links" in message
    (source / "circle").unlink()
    os.mkfifo(source / "pipe")
    message = run_pack("compress", source, tmp_path / "out", status=3).stderr
    assert "expected a regular file, got a device or pipe" in message
    (source / "pipe").unlink()
    message = run_pack("diff", source / "model-00001-of-00003.safetensors", source, status=3).stderr
    assert "expected two files or two folders" in message
    assert not (tmp_path / "out").exists()


def test_differences(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    three_shards(a)
    run_pack("compress", a, b)
    assert "no difference in 5 files with 6 tensors" in run_pack("diff", a, b).stdout
    shard = a / "model-00002-of-00003.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    content[-9] ^= 1
    shard.write_bytes(content)
    (a / "config.json").write_text("{}")
    (a / "only").write_text("")
    save_file({"x": torch.ones(2)}, a / "extra.safetensors")
    save_file({"x": torch.ones(3), "y": torch.ones(1)}, b / "extra.safetensors")
    assert run_pack("diff", a, b, status=1).stdout.splitlines() == [
        "config.json: the contents differ",
        "extra.safetensors: tensor 'x': F32 [2] in A, F32 [3] in B",
        "extra.safetensors: tensor 'y': only in B",
        "model-00002-of-00003.safetensors: tensor '1.1': 2 of 524288 bytes differ, the first at byte 524279",
        "only: only in A",
    ]
    save_file({"x": torch.ones(2)}, tmp_path / "1.safetensors", metadata={"format": "pt"})
    save_file({"x": torch.ones(2)}, tmp_path / "2.safetensors")
    out = run_pack("diff", tmp_path / "1.safetensors", tmp_path / "2.safetensors", status=1).stdout
    assert "the same tensors behind different headers (metadata, order or spaces)" in out


def test_report_of_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    three_shards(tmp_path / "a")
    with open(os.path.join(os.fsencode(tmp_path / "a"), b"\xff.txt"), "wb") as file:
        file.write(b"carried")
    report = json.loads(run_pack("compress", tmp_path / "a", tmp_path / "b", "--json").stdout)
    assert "\N{REPLACEMENT CHARACTER}.txt" in [entry["name"] for entry in report["files"]]
    with open(os.path.join(os.fsencode(tmp_path / "b"), b"\xff.txt"), "rb") as file:
        assert file.read() == b"carried"
