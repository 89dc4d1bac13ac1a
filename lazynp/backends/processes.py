"""Short child processes: compilers and linkers.

run(argv, text) -> (exit status, stdout, stderr)      of a process that reads text
Begun(argv)                                           a process that has started and waits for its text
"""

import contextlib
import os
import signal
from tempfile import TemporaryFile
from weakref import WeakSet


def run(argv: list[str], text: str = "") -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of a process that reads text."""
    if not hasattr(os, "posix_spawn"):
        import subprocess  # noqa: PLC0415  (6 ms of a cold start)

        done = subprocess.run(argv, input=text, capture_output=True, text=True, errors="replace", env=_environment())
        return done.returncode, done.stdout, done.stderr
    with TemporaryFile() as given, TemporaryFile() as said, TemporaryFile() as complained:
        given.write(text.encode())
        given.seek(0)
        status = ended(_spawned(argv, given.fileno(), said.fileno(), complained.fileno()))
        for file in (said, complained):
            file.seek(0)
        return status, said.read().decode(errors="replace"), complained.read().decode(errors="replace")


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}


def _spawned(argv: list[str], *files: int) -> int:
    """The number of a new process whose first files are these."""
    actions = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)]
    return os.posix_spawn(argv[0], argv, _environment(), file_actions=actions, setsigdef=[signal.SIGPIPE])


def ended(process: int) -> int:
    """Waits for a child; returns its exit status. Whatever interrupts the waiting ends the child."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except (
        ChildProcessError
    ):  # somebody else has waited for it: SIGCHLD is ignored, or handled by a loop; what it wrote says whether it worked
        return 0
    except BaseException:
        os.kill(process, signal.SIGTERM)
        os.waitpid(process, 0)
        raise


class Begun:
    """A process that reads from a pipe. What it says is dropped: who needs to know why it failed runs it again. Needs os.posix_spawn."""

    def __init__(self, argv: list[str]) -> None:
        source, self._pipe = os.pipe()
        try:
            with open(os.devnull, "wb") as nothing:
                self._process = _spawned(argv, source, nothing.fileno(), nothing.fileno())
        except BaseException:
            os.close(self._pipe)
            raise
        finally:
            os.close(source)
        _waiting.add(self)

    def finish(self, text: str) -> int:
        """Gives it the text; returns its exit status when it has ended."""
        _waiting.discard(self)
        try:
            with contextlib.suppress(BrokenPipeError), open(self._pipe, "wb") as pipe:  # it has failed: its status says so
                pipe.write(text.encode())
        finally:
            status = ended(self._process)
        return status

    def let_go(self) -> None:
        """In a forked child: as long as it held the pipe open, the process would wait for more."""
        os.close(self._pipe)


_waiting: WeakSet[Begun] = WeakSet()


def _forked() -> None:
    for begun in list(_waiting):
        begun.let_go()
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
