"""Runs every benchmark of this folder in turn and prints one JSON document. Timings: leave the machine alone meanwhile.

.venv/bin/python -m pip install -r benchmarks/requirements.txt -c python/constraints.txt
.venv/bin/python benchmarks/run.py --build build [--only decode]

`make bench` does both. The one of linear layers (cpu) takes some 25 minutes and has options of its own: see cpu/run.py.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def commands(build: Path) -> dict[str, list[str]]:
    found = {path.parent.name: [sys.executable, str(path), "--build", str(build)] for path in HERE.glob("*/run.py")}
    arguments = {"size": [str(HERE / "data" / "fp8-checkpoint-statistics.json")], "reencode": [], "simt": []}
    for name, options in arguments.items():
        program = build / "bin" / f"ecf8-bench-{name}"
        if program.exists():
            found[name] = [str(program), *options]
    return dict(sorted(found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--only", action="append", help="name of a benchmark; may be repeated")
    arguments = parser.parse_args()
    available = commands(arguments.build)
    names = arguments.only or list(available)
    if unknown := [name for name in names if name not in available]:
        sys.exit(f"expected a benchmark among {', '.join(available)}, got {', '.join(unknown)}")
    report = {}
    for name in names:
        print(f"benchmark {name}: {' '.join(available[name])}", file=sys.stderr)
        report[name] = json.loads(subprocess.run(available[name], check=True, stdout=subprocess.PIPE).stdout)
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
