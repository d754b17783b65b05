#!/usr/bin/env bash
# Runs clang-tidy over the C++ files of a configured build: utils/clang-tidy.sh [build folder] [files...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build}
shift || true
[ -f "$build/compile_commands.json" ] || {
  echo "clang-tidy: expected $build/compile_commands.json, found none; run make build first" >&2
  exit 1
}
if [ "$#" -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files 'lib/*.cpp' 'tools/*.cpp'); fi
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy-22 --quiet -p "$build"
echo "ok: clang-tidy, ${#files[@]} files"
