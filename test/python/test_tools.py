"""How the compiler and the runtime library are found, and what is said when they are not."""

from __future__ import annotations

from pathlib import Path

import ecf8
import pytest
from ecf8 import _tools


@pytest.fixture
def nowhere(monkeypatch, tmp_path) -> Path:
    """No prefix has anything: neither Python's, nor the checkout's, nor PATH's."""
    monkeypatch.delenv("ECF8_HOME", raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "prefix"))
    monkeypatch.setattr(_tools, "_checkout_builds", list)
    monkeypatch.setenv("PATH", str(tmp_path / "path" / "bin"))
    return tmp_path


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    path.chmod(0o755)
    return path


def test_home_comes_first_and_alone(nowhere: Path, monkeypatch):
    make(nowhere / "prefix" / "bin" / "ecf8-compile")
    monkeypatch.setenv("ECF8_HOME", str(nowhere / "home"))
    with pytest.raises(
        ecf8.ToolNotFoundError, match=r"expected 'ecf8-compile' in one of: .*home/bin/\S+ \(ECF8_HOME is"
    ):
        _tools.find_compiler()
    wanted = make(nowhere / "home" / "bin" / "ecf8-compile")
    assert _tools.find_compiler() == wanted


@pytest.mark.parametrize("folder", ["lib", "lib64", "lib/x86_64-linux-gnu"])
def test_python_prefix(nowhere: Path, folder):
    wanted = make(nowhere / "prefix" / folder / "libECF8Runtime.so")
    assert _tools.find_runtime_library() == wanted


def test_path_comes_last(nowhere: Path):
    wanted = make(nowhere / "path" / "bin" / "ecf8-compile")
    library = make(nowhere / "path" / "lib" / "libECF8Runtime.so")
    assert (_tools.find_compiler(), _tools.find_runtime_library()) == (wanted, library)
    closer = make(nowhere / "prefix" / "bin" / "ecf8-compile")
    assert _tools.find_compiler() == closer


def test_not_found_anywhere(nowhere: Path):
    with pytest.raises(ecf8.ToolNotFoundError, match="set ECF8_HOME to a prefix with bin/ and lib/"):
        _tools.find_runtime_library()


def test_missing_compiler_is_noticed_before_the_work(run_python, tmp_path):
    code = "import ecf8, torch; ecf8.compile(torch.nn.Linear(2, 2), (torch.ones(1, 2),))"
    result = run_python(code, ECF8_HOME=str(tmp_path))
    assert f"ToolNotFoundError: expected 'ecf8-compile' in one of: {tmp_path}/bin/ecf8-compile" in result.stderr


def test_library_of_something_else(run_python, tmp_path):
    make(tmp_path / "lib" / "libECF8Runtime.so").write_text("not a library")
    result = run_python("import ecf8; ecf8.load('x')", ECF8_HOME=str(tmp_path))
    assert f"ExecutionError: expected an ECF8 runtime library at '{tmp_path}/lib/libECF8Runtime.so'" in result.stderr
