"""Run NumPy's tests against lazynp: `python tests/numpy_suite [--only numpy|default|all_lazy] [--keep FOLDER] [--write] [FILE ...]`.

Prints the pass rate; --write (with all files) also writes docs/numpy_suite.md and the lists of known failures.
"""

import argparse
from pathlib import Path

from keeping import Kept
from report import PAGE, THRESHOLDS, counted, failed, keep_failures, page
from running import all_files

RUNS = {"numpy": None, **THRESHOLDS}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python tests/numpy_suite", description=__doc__)
    parser.add_argument("files", nargs="*", metavar="FILE", help="such as lib/tests/test_shape_base.py; all by default")
    parser.add_argument("--only", choices=list(RUNS), help="NumPy itself, or one of the two thresholds")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="a folder for the outcomes: what is there, of the same sources, is not run again")
    parser.add_argument("--write", action="store_true", help="write the page and the lists of known failures")
    options = parser.parse_args()
    if options.write and (options.files or options.only):
        parser.error("--write needs the whole suite")
    files = options.files or all_files()
    found = {
        name: Kept(options.keep, name).outcomes(value, files, options.jobs) for name, value in RUNS.items() if options.only in (None, name)
    }
    if "numpy" not in found:
        found["numpy"] = Kept(options.keep, "numpy").outcomes(None, files, options.jobs)
    baseline = found.pop("numpy")
    keys = counted(baseline)
    for name, outcomes in found.items():
        bad = [key for key in keys if failed(outcomes.get(key))]
        if not options.write:
            print(*[f"{key}  {outcomes.get(key, {}).get('message', 'not collected')!r}" for key in bad], sep="\n")
        print(f"{name}: {len(keys) - len(bad)} of {len(keys)} pass ({100 * (len(keys) - len(bad)) / max(len(keys), 1):.2f} %)")
        if options.write:
            keep_failures(name, bad)
    if options.write:
        PAGE.write_text(page(baseline, found), encoding="utf-8")


if __name__ == "__main__":
    main()
