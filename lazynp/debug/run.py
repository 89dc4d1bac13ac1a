"""`python -m lazynp run PROGRAM.py`: an unmodified NumPy program on lazynp, and beside it on NumPy to see whether anything changed."""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib.machinery import SourceFileLoader
from types import FrameType, ModuleType, TracebackType
from typing import Any, NamedTuple

from lazynp.debug import run_source
from lazynp.debug.run_report import Report, Side
from lazynp.debug.run_variables import Difference, Values, compare, marked_varying, numeric_variables, variables_of_frame
from lazynp.runtime.stats import stats

_RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run")
_NEEDS_LAZYNP = "ModuleNotFoundError: import of lazynp halted"
"""What `import lazynp` raises in the run on NumPy."""


class Finished(NamedTuple):
    """A program that has ended: its exit status, "Class: message" of an uncaught error or "", and its variables if they were asked for."""

    seconds: float
    status: int
    error: str
    values: Values


class _Surroundings(NamedTuple):
    """How a program is started: what it may change, and its next run must find as the first did."""

    program: str
    arguments: list[str]
    directory: str
    environment: dict[str, str]
    stdin: int | None


def run(program: str, arguments: list[str]) -> int:
    """Run on lazynp; returns the exit status. Status 2 when the program's file cannot be read."""
    return _with_source(program, lambda source: _execute(source, program, arguments, on_lazynp=True, watch=False).status)


def run_and_report(program: str, arguments: list[str], against_numpy: bool, json_path: str | None) -> int:
    """Run on lazynp, then report: on the terminal if compared with NumPy, in a JSON file if one is named.
    Returns the program's exit status, or 1 when the runs differ."""
    target = json_path and os.path.abspath(json_path)
    before = _surroundings(program, arguments)
    process = os.getpid()

    def both(source: bytes) -> int:
        ours = _execute(source, program, arguments, on_lazynp=True, watch=True)
        if os.getpid() != process:  # a forked child that ran to the program's end: the parent reports
            return ours.status
        report = _report(ours, before, against_numpy)
        sys.stdout.flush()
        if target:
            report.write_json(target)
        if against_numpy:
            print(report.text(), flush=True)
        return ours.status or int(report.same is False)

    return _with_source(program, both)


def record(program: str, arguments: list[str], result: str) -> int:
    """Run on NumPy, with no lazynp to import, and pickle the Finished into the file `result`: the second process of a comparison."""

    def recorded(source: bytes) -> int:
        finished = _execute(source, program, arguments, on_lazynp=False, watch=True)
        with open(result, "wb") as file:
            pickle.dump(finished, file, protocol=5)
        return finished.status

    return _with_source(program, recorded)


def _with_source(program: str, job: Callable[[bytes], int]) -> int:
    try:
        with open(program, "rb") as file:
            source = file.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {os.path.abspath(program)!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return 2
    return job(source)


# --- one run in this process -----------------------------------------------------------------------------------------


def _execute(source: bytes, program: str, arguments: list[str], on_lazynp: bool, watch: bool) -> Finished:
    """Run the program as __main__ of this process. Its errors are shown as Python shows them."""
    path = os.path.abspath(program)
    module = _main_module(path)
    main: dict[str, Any] = {}
    _prepare(program, arguments, on_lazynp, lambda frame: main.update(variables_of_frame(frame)))
    start = time.perf_counter()
    caught: BaseException | None = None
    try:
        with nullcontext() if on_lazynp else run_source.without_lazynp():
            exec(run_source.compile_source(source, path, on_lazynp, watch), module.__dict__)
    except BaseException as error:  # SystemExit and KeyboardInterrupt end a program too
        caught = error
    values = numeric_variables(vars(module), main) if watch else {}
    seconds = time.perf_counter() - start
    return Finished(seconds, _shown(caught), _described(caught), values)


def _main_module(path: str) -> ModuleType:
    """A fresh __main__ with the attributes that Python gives a script."""
    module = ModuleType("__main__")
    names = vars(module)
    names.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path), __annotations__={})
    names["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = module
    return module


def _prepare(program: str, arguments: list[str], on_lazynp: bool, on_leaving_main: Callable[[FrameType], None]) -> None:
    directory = os.path.dirname(os.path.realpath(program))
    sys.argv = [program, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = directory
    if on_lazynp:
        run_source.use_own_modules(directory)
    run_source.watch_main(on_leaving_main)


def _shown(error: BaseException | None) -> int:
    """The exit status for what ended a program; an error is printed by the program's own excepthook, without the runner's frames."""
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        print(error.code, file=sys.stderr)
        return 1
    sys.stdout.flush()
    error.__traceback__ = _own_frames(error.__traceback__)
    sys.excepthook(type(error), error, error.__traceback__)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _own_frames(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of this command and of the import system."""
    kept = []
    while traceback is not None:
        if not _file_of(traceback).startswith(_RUNNER):
            kept.append(traceback)
        else:  # below an import statement: this command's loader, called by Python's
            while kept and _file_of(kept[-1]).startswith("<frozen importlib"):
                kept.pop()
        traceback = traceback.tb_next
    trimmed = None
    for entry in reversed(kept):
        trimmed = TracebackType(trimmed, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return trimmed


def _file_of(traceback: TracebackType) -> str:
    return traceback.tb_frame.f_code.co_filename


def _described(error: BaseException | None) -> str:
    return "" if error is None or isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"


# --- the runs on NumPy -----------------------------------------------------------------------------------------------


def _report(ours: Finished, before: _Surroundings, against_numpy: bool) -> Report:
    path = os.path.join(before.directory, before.program)
    lazynp = Side(ours.seconds, ours.status, ours.error)
    counted = stats()
    if not against_numpy:
        return Report(path, before.arguments, lazynp, None, [], counted)
    theirs, trouble = _on_numpy(before)
    if theirs is not None and theirs.error.startswith(_NEEDS_LAZYNP):
        theirs, trouble = None, "the program does not run without lazynp: let it try `import lazynp` and do without"
    if theirs is None:
        return Report(path, before.arguments, lazynp, None, [], counted, trouble)
    differences = compare(ours.values, theirs.values)
    if not all(d.same for d in differences):
        differences = _without_varying(differences, theirs, before)
    return Report(path, before.arguments, lazynp, Side(theirs.seconds, theirs.status, theirs.error), differences, counted)


def _without_varying(differences: list[Difference], once: Finished, before: _Surroundings) -> list[Difference]:
    """A third run, on NumPy, tells a clock and unseeded random numbers from results that differ."""
    again, _ = _on_numpy(before)
    return differences if again is None else marked_varying(differences, once.values, again.values)


def _surroundings(program: str, arguments: list[str]) -> _Surroundings:
    try:
        stdin = os.lseek(0, 0, os.SEEK_CUR)
    except OSError:  # a terminal or pipe: what the first run has read is gone
        stdin = None
    return _Surroundings(program, arguments, os.getcwd(), dict(os.environ), stdin)


def _on_numpy(before: _Surroundings) -> tuple[Finished | None, str]:
    """(the finished run, ""), or (None, what went wrong) when the process ended without a result."""
    with tempfile.TemporaryDirectory(prefix="lazynp-") as folder:
        result = os.path.join(folder, "result")
        options = [f"-W{option}" for option in sys.warnoptions] + ["-P"] * sys.flags.safe_path
        command = [sys.executable, *options, "-m", "lazynp", "run", "--record", result, before.program, *before.arguments]
        if before.stdin is not None:
            os.lseek(0, before.stdin, os.SEEK_SET)
        done = subprocess.run(
            command,
            cwd=before.directory,
            env=before.environment,
            stdin=None if before.stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if not os.path.exists(result):
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            return None, f"the run on NumPy ended without a result, status {done.returncode}{''.join(f': {line}' for line in last)}"
        with open(result, "rb") as file:
            return pickle.load(file), ""
