"""Runs copied test files in processes of their own and gathers the outcomes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import numpy
from exclusions import reason
from rewriting import PACKAGES, copy_suite

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent

SECONDS_PER_TEST = 60
SECONDS_PER_FILE = 5400
"""With everything lazy the largest file compiles thousands of small programs, which takes half an hour the first time."""

_WARNINGS = ["-W", "error", "-W", "ignore:the matrix subclass is not", "-W", "ignore::pytest.PytestRemovedIn10Warning"]
"""Those of NumPy's own pytest.ini, and one that newer versions of pytest give about its parameters."""

Outcome = dict[str, str]


def run_suite(
    threshold: int | None,
    chosen: "dict[str, list[str]] | Iterable[str]",
    jobs: int = 2,
    finished: Callable[[str, dict[str, Outcome]], None] = lambda file, outcomes: None,
) -> dict[str, Outcome]:
    """{key: {outcome, name, message}} of the tests in the chosen files, or of the chosen tests {file: keys}.

    `threshold` is lazynp's `lazy_threshold`; None runs them on NumPy itself, in the same harness. finished(file, outcomes) is called as
    the files come to their ends."""
    ready = Lock()

    def run(file: str) -> dict[str, Outcome]:
        outcomes = _run_file(root, file, wanted[file], threshold)
        with ready:
            finished(file, outcomes)
        return outcomes

    with tempfile.TemporaryDirectory(prefix="numpy-suite-") as folder:
        root = Path(folder)
        copy_suite(root / "suite", use_lazynp=threshold is not None)
        wanted = chosen if isinstance(chosen, dict) else dict.fromkeys(chosen)
        with ThreadPoolExecutor(jobs) as pool:
            parts = list(pool.map(run, wanted))
    return {key: outcome for part in parts for key, outcome in part.items()}


def _run_file(root: Path, file: str, keys: "list[str] | None", threshold: int | None) -> dict[str, Outcome]:
    """Run one file; after a crash of the process go on behind the test that crashed it."""
    record = root / (file.replace("/", "_") + ".jsonl")
    for _ in range(20):
        before = _read(record)
        finished = _run_process(root / "suite", file, keys, threshold, record)
        outcomes = _read(record)
        if finished or len(outcomes) == len(before):
            return outcomes
    return _read(record)


def _run_process(suite: Path, file: str, keys: "list[str] | None", threshold: int | None, record: Path) -> bool:
    """Whether pytest came to its end (with or without failures)."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "recorder", "--rootdir", str(suite), "-c", os.devnull]
    command += ["--import-mode=importlib", "-m", "not slow", "--tb=short", "--no-header", *_WARNINGS, file]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), str(PACKAGE), os.environ.get("PYTHONPATH", "")]),
        "NUMPY_SUITE_RECORD": str(record),
        "NUMPY_SUITE_SECONDS": str(SECONDS_PER_TEST),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    for name in ("LAZYNP_VERIFY", "LAZYNP_COMPILE_AFTER", "LAZYNP_LAZY_THRESHOLD", "PYTEST_ADDOPTS"):
        environment.pop(name, None)
    if threshold is not None:
        environment.update(LAZYNP_UNDER_TEST="1", LAZYNP_LAZY_THRESHOLD=str(threshold))
    if keys is not None:
        environment["NUMPY_SUITE_CHOSEN"] = json.dumps(keys)
    log = record.with_suffix(".log")
    try:
        with log.open("a") as file_:
            done = subprocess.run(command, cwd=suite, env=environment, stdout=file_, stderr=file_, timeout=SECONDS_PER_FILE, check=False)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode in (0, 1, 2, 3, 5)


def _read(record: Path) -> dict[str, Outcome]:
    if not record.exists():
        return {}
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    return {line.pop("key"): line for line in lines}


def all_files() -> list[str]:
    """Every test file that counts, the ones that take longest first."""
    root = Path(numpy.__file__).parent
    files = sorted((f for package in PACKAGES for f in (root / package / "tests").glob("test_*.py")), key=lambda f: -f.stat().st_size)
    return [name for name in (str(f.relative_to(root)) for f in files) if reason(name) is None]
