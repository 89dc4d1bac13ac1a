"""A pytest plugin: writes the outcome of every test to the file $NUMPY_SUITE_RECORD, one JSON object a line, as the tests run.

A test's key is its name and, if it has parameters, its number among them: parameters that are arrays print differently in lazynp.
A test that takes longer than $NUMPY_SUITE_SECONDS fails.
"""

import json
import os
import signal
import warnings
from pathlib import Path

import numpy.random  # noqa: F401  (now: later, a warning while it loads is an error)
import pytest

_record = Path(os.environ["NUMPY_SUITE_RECORD"])
_seconds = float(os.environ["NUMPY_SUITE_SECONDS"])
_chosen = json.loads(os.environ.get("NUMPY_SUITE_CHOSEN", "null"))
_done = {line["key"] for line in map(json.loads, _record.read_text().splitlines())} if _record.exists() else set()
_outcomes: dict[str, dict[str, str]] = {}


class TooSlow(Exception):
    """The test ran out of time."""


def _write(**line: str) -> None:
    with _record.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _ring(signum, frame):
    raise TooSlow(f"no answer in {_seconds} s")


def pytest_configure(config):
    signal.signal(signal.SIGALRM, _ring)
    if os.environ.get("LAZYNP_UNDER_TEST"):
        import lazynp

        warnings.simplefilter("ignore", lazynp.PerformanceWarning)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Number the parameters; leave out what has been run before a crash, and what was not chosen."""
    count: dict[str, int] = {}
    kept = []
    for item in items:
        path, _, name = item.nodeid.partition("::")
        base = f"{path}::{name.partition('[')[0]}"
        number = count[base] = count.get(base, -1) + 1
        item.stash_key = base if "[" not in name else f"{base}#{number}"
        if item.stash_key not in _done and (_chosen is None or item.stash_key in _chosen):
            kept.append(item)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    _write(key=item.stash_key, outcome="crashed", name=item.nodeid)
    signal.setitimer(signal.ITIMER_REAL, _seconds)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(**_outcomes.pop(item.nodeid, {"outcome": "crashed"}), key=item.stash_key, name=item.nodeid)


def pytest_runtest_logreport(report):
    """Keep the worst of setup, call and teardown."""
    known = _outcomes.setdefault(report.nodeid, {"outcome": "passed"})
    if report.failed:
        message = getattr(getattr(report.longrepr, "reprcrash", None), "message", None) or str(report.longrepr)[-300:]
        known.update(outcome="failed", message=message[:400])
    elif report.skipped and known["outcome"] == "passed":
        known["outcome"] = "skipped"


def pytest_collectreport(report):
    if report.failed:
        _write(key=report.nodeid, outcome="failed", name=report.nodeid, message="not collected: " + str(report.longrepr)[-400:])
