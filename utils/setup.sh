#!/usr/bin/env bash
# Installs what building, testing and running ECF8 needs: Debian packages, and a Python environment in .venv.
# Says what it is about to do and how much it downloads before it does it; with nothing missing it does nothing.
set -euo pipefail

usage() {
  cat <<'END'
usage: utils/setup.sh [--check] [--python-only] [--help]

  --check        list what is missing and change nothing; exit status 1 when something is missing
  --python-only  leave system packages alone and set up .venv only
  --help         print this text

environment:
  ECF8_PYTHON    the Python 3.11 to make .venv from (default: the first of python3.11, python3 in PATH that is 3.11)
END
}

# What the build and the tests need from Debian 12 (LLVM and MLIR 22 come from its security suite).
debian_packages=(
  clang-22 lld-22 llvm-22-dev libmlir-22-dev mlir-22-tools      # compiler, linker, and the libraries ECF8 is built on
  clang-format-22 clang-tidy-22 libclang-rt-22-dev              # style checks, sanitizers, fuzzers
  cmake ninja-build ccache make git
  gcc g++ libc6-dev zlib1g-dev libzstd-dev libxml2-dev          # what clang and LLVM's CMake package ask for
  nlohmann-json3-dev libxxhash-dev libcli11-dev libgtest-dev libbenchmark-dev
  python3 python3-dev python3-venv
  openmpi-bin                                                   # mpirun, for the test of utils/mpi-pack.py
)
python_version=3.11
python_download="about 610 MB, 2.4 GB unpacked" # torch 190, CUDA assembler 105, sentence model 85, torch-mlir 80, PuLP 16
cuda_free_index=https://download.pytorch.org/whl/cpu

check_only=0
python_only=0
for argument in "$@"; do
  case "$argument" in
    --check) check_only=1 ;;
    --python-only) python_only=1 ;;
    --help | -h) usage; exit 0 ;;
    *) echo "setup: expected --check, --python-only or --help, got '$argument'" >&2; usage >&2; exit 2 ;;
  esac
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
stamp=$venv/ecf8-requirements.sha256

say() { echo "setup: $*"; }
die() { echo "setup: error: $*" >&2; exit 1; }

## System packages

# Set by read_system: the name to show, and whether this is a Debian or one of its relatives.
system_name="an unknown system"
is_debian=0
read_system() {
  local os_release=${ECF8_OS_RELEASE:-/etc/os-release} # a test points this at another system's file
  if [ -r "$os_release" ]; then
    system_name=$(. "$os_release" && echo "${PRETTY_NAME:-${NAME:-$ID}}")
    case " $(. "$os_release" && echo "${ID:-} ${ID_LIKE:-}") " in *" debian "*) is_debian=1 ;; esac
  fi
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || is_debian=0
}

missing_packages() {
  local installed package
  # dpkg-query exits with 1 for packages it has never heard of, which are simply missing here.
  installed=" $({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${debian_packages[@]}" 2>/dev/null || true; } |
    sed -n 's/^installed //p' | tr '\n' ' ')"
  for package in "${debian_packages[@]}"; do
    case "$installed" in *" $package "*) ;; *) echo "$package" ;; esac
  done
}

explain_other_system() {
  cat >&2 <<END
setup: this is $system_name; the packages are installed for you on Debian 12 only. What is needed here:
  - LLVM and MLIR 22 with headers and CMake files, clang 22, lld 22, mlir-opt, FileCheck
      (pass -DMLIR_DIR=<prefix>/lib/cmake/mlir to cmake if they are not under /usr/lib/llvm-22)
  - clang-format 22, clang-tidy 22, compiler-rt 22 (style checks and the sanitizer builds)
  - CMake 3.25 or newer, Ninja, make, git, a C++ standard library with C++20, and ccache if you like
  - nlohmann-json 3.11, CLI11 2.1, xxHash 0.8 or newer (headers), GoogleTest, Google Benchmark, zlib, zstd, libxml2
  - Open MPI, if a checkpoint is to be compressed on several machines; its test is skipped without it
  - Python $python_version with venv and headers
Then run: utils/setup.sh --python-only
END
}

# The command prefix that makes us root: empty, or sudo. Fails where neither is possible.
as_root=()
become_root() {
  [ "$(id -u)" -eq 0 ] && return 0
  command -v sudo >/dev/null || return 1
  if sudo -n true 2>/dev/null || [ -t 0 ]; then as_root=(sudo); return 0; fi
  return 1
}

install_packages() {
  local packages=("$@") plan llvm_candidate
  if ! become_root; then
    die "expected root or sudo to install packages, got neither; run this as root, then run utils/setup.sh again:
  apt-get update && apt-get install --no-install-recommends -y ${packages[*]}"
  fi
  say "reading the package lists (apt-get update)"
  "${as_root[@]}" apt-get update -qq || die "apt-get update failed; the network or the package sources need a look"
  llvm_candidate=$(LC_ALL=C apt-cache policy libmlir-22-dev | sed -n 's/^ *Candidate: //p')
  if [ -z "$llvm_candidate" ] || [ "$llvm_candidate" = "(none)" ]; then
    echo "setup: the package sources of $system_name carry no LLVM 22 (libmlir-22-dev)" >&2
    echo "setup: Debian 12 has it in its security suite: is bookworm-security in /etc/apt/sources.list.d?" >&2
    explain_other_system
    exit 1
  fi
  plan=$(LC_ALL=C "${as_root[@]}" apt-get install --no-install-recommends --assume-no "${packages[@]}" 2>&1 || true)
  if ! grep -q "^Need to get\|newly installed" <<<"$plan"; then
    echo "$plan" >&2
    die "apt cannot install: ${packages[*]}"
  fi
  say "installing ${#packages[@]} Debian packages and what they need: ${packages[*]}"
  grep -E "^(Need to get|After this operation)" <<<"$plan" | sed 's/^/setup:   /'
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install --no-install-recommends -y -qq \
    -o Dpkg::Use-Pty=0 "${packages[@]}" >"$root/.setup-apt.log" 2>&1 </dev/null || {
    tail -20 "$root/.setup-apt.log" >&2
    die "apt-get install failed; its whole output is in .setup-apt.log"
  }
  rm -f "$root/.setup-apt.log"
}

## Python

# Prints the interpreter to make .venv from, or nothing.
find_python() {
  local candidate
  for candidate in ${ECF8_PYTHON:-python$python_version python3 /usr/bin/python$python_version}; do
    command -v "$candidate" >/dev/null || continue
    if "$candidate" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$python_version')" \
      2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
}

requirements_hash() { cat "$root/python/requirements.txt" "$root/python/constraints.txt" | sha256sum | cut -d' ' -f1; }

python_is_ready() {
  [ -x "$venv/bin/python" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(requirements_hash)" ] &&
    "$venv/bin/python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$python_version')" 2>/dev/null
}

# True if `pip install torch==<pinned>` from the configured indexes would bring CUDA libraries with it.
torch_brings_cuda() {
  local report
  report=$("$venv/bin/python" -m pip install --quiet --dry-run --ignore-installed --report - "$1" 2>/dev/null) || return 1
  grep -Eq '"name": "(nvidia|cuda|triton)[-_a-z0-9]*"' <<<"$report"
}

install_python() {
  local interpreter torch_pin pip_log=$root/.setup-pip.log pip_options=()
  # venv would empty the folder that a link leads to, and then refuse the link.
  [ ! -L "$venv" ] || die "expected .venv to be a folder or nothing, got a link to $(readlink -f "$venv"), whose packages are not those of python/requirements.txt; remove the link, or set up what it leads to"
  interpreter=$(find_python)
  [ -n "$interpreter" ] ||
    die "expected a Python $python_version with venv, found none; set ECF8_PYTHON=/path/to/python$python_version"
  say "making .venv with $("$interpreter" --version) and the pinned packages of python/requirements.txt"
  say "  downloads $python_download"
  "$interpreter" -m venv --clear "$venv"
  torch_pin=$(grep -E '^torch==' "$root/python/requirements.txt")
  if torch_brings_cuda "$torch_pin"; then
    say "  $torch_pin of the configured index brings CUDA along; taking the CPU build from $cuda_free_index"
    pip_options=(--extra-index-url "$cuda_free_index")
  fi
  "$venv/bin/python" -m pip install --disable-pip-version-check --no-input "${pip_options[@]}" \
    -r "$root/python/requirements.txt" -c "$root/python/constraints.txt" >"$pip_log" 2>&1 </dev/null || {
    grep -v '^WARNING: Location' "$pip_log" | tail -20 >&2
    die "pip install failed; its whole output is in .setup-pip.log"
  }
  rm -f "$pip_log"
  # `import ecf8` finds the package in this checkout.
  echo "$root/python" >"$("$venv/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")/ecf8.pth"
  requirements_hash >"$stamp"
}

## What to do

packages=()
if [ "$python_only" -eq 0 ]; then
  read_system
  if [ "$is_debian" -eq 1 ]; then
    mapfile -t packages < <(missing_packages)
  elif ! python_is_ready; then
    explain_other_system
    exit 1
  fi
fi

if [ "$check_only" -eq 1 ]; then
  status=0
  if [ "${#packages[@]}" -gt 0 ]; then say "missing Debian packages: ${packages[*]}"; status=1; fi
  if ! python_is_ready; then say "missing: .venv with the packages of python/requirements.txt"; status=1; fi
  [ "$status" -ne 0 ] || say "nothing is missing"
  exit "$status"
fi

did_something=0
if [ "${#packages[@]}" -gt 0 ]; then install_packages "${packages[@]}"; did_something=1; fi
if ! python_is_ready; then install_python; did_something=1; fi
[ "$did_something" -eq 0 ] || say "done"
