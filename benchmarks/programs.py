"""The textbook programs of tests/programs at their own size: time on lazynp against time on NumPy.

python -m benchmarks.programs                    all; each is run until its best time of three is known
python -m benchmarks.programs wave life --json results/programs.json

Each run is a process of its own (`python -m lazynp run --compare`): a time includes what a script pays once, such as loading compiled
programs from the disk cache. The first round fills that cache and is shown as "cold". Python keeps bytecode between the runs, as it does
for everybody, whatever the environment says.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).resolve().parent.parent / "tests" / "programs"
ROUNDS = 3


def main(arguments: list[str]) -> int:
    """Run, print a line per program and the geometric mean. Returns 1 if a result differs from NumPy's."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as bytecode:
        os.environ["PYTHONPYCACHEPREFIX"] = bytecode
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return _compare(options)


def _compare(options: argparse.Namespace) -> int:
    names = options.programs or sorted(path.stem for path in PROGRAMS.glob("*.py"))
    rows = []
    print(f"{'program':20} {'NumPy':>9} {'cold':>9} {'lazynp':>9} {'ratio':>7}  result")
    for name in names:
        rows.append(row := _measured(name))
        seconds = " ".join([f"{1e3 * row[key]:6.0f} ms" for key in ("numpy", "cold", "lazynp")])
        print(f"{name:20} {seconds} {row['numpy'] / row['lazynp']:6.2f}x  {'SAME' if row['same'] else 'DIFFERS'}", flush=True)
    ratios = [row["numpy"] / row["lazynp"] for row in rows]
    print(f"geometric mean {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}x, least {min(ratios):.2f}x")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return int(not all(row["same"] for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.programs", description="Textbook programs on lazynp and on NumPy.")
    parser.add_argument("programs", nargs="*", help="names of files in tests/programs, without .py (all)")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    return parser


def _measured(name: str) -> dict[str, Any]:
    """Seconds of the best of some runs on either side, and of the first one on lazynp."""
    reports = [_report(PROGRAMS / f"{name}.py") for _ in range(1 + ROUNDS)]
    return {
        "program": name,
        "same": all(report["same"] for report in reports),
        "cold": reports[0]["lazynp"]["seconds"],
        "lazynp": min(report["lazynp"]["seconds"] for report in reports[1:]),
        "numpy": min(report["numpy"]["seconds"] for report in reports),
    }


def _report(program: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "report.json"
        command = [sys.executable, "-m", "lazynp", "run", "--compare", "--json", str(target), str(program)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        report: dict[str, Any] = json.loads(target.read_text())
        return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
