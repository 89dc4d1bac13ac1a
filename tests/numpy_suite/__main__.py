"""Run NumPy's tests against lazynp: `python tests/numpy_suite [--only default|all_lazy] [--write] [FILE ...]`.

Prints the pass rate; --write (with all files) also writes docs/numpy_suite.md and the lists of known failures.
"""

import argparse
import json
from pathlib import Path

from report import PAGE, THRESHOLDS, counted, failed, keep_failures, page
from running import all_files, run_suite


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/numpy_suite", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="such as lib/tests/test_shape_base.py; all by default")
    parser.add_argument("--only", choices=list(THRESHOLDS), help="one of the two thresholds")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--baseline", type=Path, help="a file to keep NumPy's own outcomes in, and to read them from when it is there")
    parser.add_argument("--write", action="store_true", help="write the page and the lists of known failures")
    options = parser.parse_args()
    if options.write and (options.files or options.only):
        parser.error("--write needs the whole suite")
    files = options.files or all_files()
    baseline = _baseline(files, options)
    outcomes = {name: run_suite(value, files, options.jobs) for name, value in THRESHOLDS.items() if options.only in (None, name)}
    keys = counted(baseline)
    for name, found in outcomes.items():
        bad = [key for key in keys if failed(found.get(key))]
        if not options.write:
            print(*[f"{key}  {found.get(key, {}).get('message', 'not collected')!r}" for key in bad], sep="\n")
        print(f"{name}: {len(keys) - len(bad)} of {len(keys)} pass ({100 * (len(keys) - len(bad)) / max(len(keys), 1):.2f} %)")
        if options.write:
            keep_failures(name, bad)
    if options.write:
        PAGE.write_text(page(baseline, outcomes), encoding="utf-8")


def _baseline(files: list[str], options: argparse.Namespace) -> dict[str, dict[str, str]]:
    if options.baseline is not None and options.baseline.exists():
        kept = json.loads(options.baseline.read_text())
        return {key: outcome for key, outcome in kept.items() if key.split("::")[0] in files}
    found = run_suite(None, files, options.jobs)
    if options.baseline is not None:
        options.baseline.write_text(json.dumps(found))
    return found


if __name__ == "__main__":
    main()
