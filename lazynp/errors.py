"""Exception and warning classes, and the question they all ask: which line of the user's program was it?"""

import os
import sys
import warnings
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy._core.umath import _extobj_contextvar

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_NUMPY = os.sep + os.path.join("numpy", "")


class LazynpError(Exception):
    """Base of the errors that are lazynp's own. Errors that NumPy knows keep NumPy's class."""


class CompileError(LazynpError):
    """The C compiler refused generated code: a defect of lazynp, never of the user's program."""


class VerifyError(LazynpError):
    """A graph breaks an invariant of its dialect: a defect of lazynp."""


class CaptureError(LazynpError, TypeError):
    """A traced function asked for a value that exists only at run time."""


class PerformanceWarning(UserWarning):
    """The program is right but slower than it could be; says which line and what to write instead."""


class DerivativeWarning(UserWarning):
    """A value that a derivative is taken by was read as a plain number: what is computed from the number counts as constant."""


class FallbackWarning(UserWarning):
    """A function ran through NumPy instead of compiled code."""


class ErrorSettings(NamedTuple):
    """numpy.geterr() as pairs, and numpy.geterrcall(). message: the one RuntimeWarning of a function that has words of its own.
    unshown: (message, module, line) of the warnings filters that ignore some RuntimeWarnings; one that ignores all is in the modes."""

    modes: tuple[tuple[str, str], ...]
    call: Any = None
    message: str = ""
    unshown: tuple[tuple[Any, Any, int], ...] = ()

    def shows(self, message: str, module: str, line: int) -> bool:
        """Whether the filters of the place let such a RuntimeWarning through."""
        for text, name, at in self.unshown:
            if (text is None or text.match(message)) and (name is None or name.match(module)) and at in (0, line):
                return False
        return True

    @property
    def at_once(self) -> bool:
        """Whether a program may wait for what happens here: it catches FloatingPointError, or reads what its function was told."""
        return any(mode in ("raise", "call", "log", "print") for _, mode in self.modes)


DEFAULT_ERRORS = ErrorSettings((("divide", "warn"), ("invalid", "warn"), ("over", "warn"), ("under", "ignore")))
SILENT = ErrorSettings((("divide", "ignore"), ("invalid", "ignore"), ("over", "ignore"), ("under", "ignore")))


class Where(NamedTuple):
    """A position in the user's program. Resolved to a line number only when somebody asks."""

    code: CodeType
    instruction: int
    errors: "ErrorSettings | None" = None
    """What numpy.errstate says there, unless it says NumPy's defaults."""
    function: str = ""
    """What NumPy's warnings name there, if that is not the operation's ufunc."""

    @property
    def filename(self) -> str:
        return self.code.co_filename

    @property
    def line(self) -> int:
        for start, end, line in self.code.co_lines():
            if start <= self.instruction < end and line is not None:
                return line
        return self.code.co_firstlineno

    def __str__(self) -> str:
        return f'File "{self.filename}", line {self.line}, in {self.code.co_name}'


KNOWN_FILES: dict[str, bool] = {}
"""Name of a file -> whether its code is lazynp's or NumPy's dispatch. By file: a code object's hash is made of all its instructions, anew
each time."""


def is_ours(code: CodeType) -> bool:
    """Whether a frame belongs to lazynp or to NumPy's dispatch, so that the user's line lies further out."""
    name = code.co_filename
    known = KNOWN_FILES.get(name)
    if known is None:
        known = KNOWN_FILES[name] = name.startswith((_PACKAGE, "<lazynp", "<__array_function__")) or _NUMPY in name
    return known


def user_frame(depth: int = 1) -> FrameType | None:
    """The innermost frame outside lazynp and NumPy; None when there is none (embedded interpreters)."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and is_ours(frame.f_code):
        frame = frame.f_back
    return frame


def user_position(depth: int = 1) -> Where | None:
    """Where that frame is."""
    frame = user_frame(depth + 1)
    return None if frame is None else Where(frame.f_code, frame.f_lasti)


def recording_position(depth: int = 1) -> tuple[Where | None, object]:
    """The user's position, and a key that also holds its caller's: they tell the next turn of a loop from a helper called twice."""
    frame = sys._getframe(depth)
    while frame is not None and is_ours(frame.f_code):
        frame = frame.f_back
    if frame is None:
        return None, None
    outer = frame.f_back
    place = frame.f_code, frame.f_lasti
    caller = None if outer is None else (id(outer.f_code), outer.f_lasti)
    return Where(*place, error_settings()), (id(place[0]), place[1], caller)


_known_settings: tuple[Any, list[Any], ErrorSettings | None] = (None, [], None)
"""NumPy's object for the settings last seen, the warnings filters, and what they say: reading it costs more than recording should."""
_known_action = ""


def error_settings() -> ErrorSettings | None:
    """numpy.errstate and the warnings filters here; None for NumPy's defaults."""
    global _known_settings, _known_action
    current, filters = _extobj_contextvar.get(), warnings.filters
    known, shown, settings = _known_settings
    if current is not known or filters != shown:
        modes, unshown = tuple(sorted(np.geterr().items())), ()
        met = _met_filters()
        _known_action = met[0][0] if met and _meets_all(met[0]) else ""
        if _known_action == "ignore":
            modes = tuple([(kind, "ignore" if mode == "warn" else mode) for kind, mode in modes])
        else:
            unshown = tuple([(text, module, line) for action, text, _, module, line in met if action == "ignore"])
        found = ErrorSettings(modes, np.geterrcall(), unshown=unshown)
        settings = None if found == DEFAULT_ERRORS else found
        _known_settings = (current, list(filters), settings)
    return settings


def warning_action() -> str:
    """What the filters do with every RuntimeWarning, as `error_settings` last saw them: "ignore", "error", ..., "" where that depends on
    its words or place."""
    return _known_action


def _met_filters() -> list[Any]:
    """The filters that RuntimeWarnings may meet, up to the first that none passes, without those of words or places that were there
    before lazynp (NumPy's own)."""
    met = []
    for found in warnings.filters:
        if issubclass(RuntimeWarning, found[2]) and (_meets_all(found) or found not in _FIRST_FILTERS):
            met.append(found)
            if _meets_all(found):
                break
    return met


def _meets_all(found: Any) -> bool:
    _action, text, _category, module, line = found
    return text is None and module is None and line == 0


_FIRST_FILTERS = tuple(warnings.filters)


def line_of(error: BaseException | None) -> Where | None:
    """The user's line, the innermost one, on which an error arose."""
    found = None
    traceback = error.__traceback__ if error is not None else None
    while traceback is not None:
        if not is_ours(traceback.tb_frame.f_code):
            found = Where(traceback.tb_frame.f_code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found


def with_origin(error: BaseException, where: Any) -> BaseException:
    """The same error, whose traceback ends at the line which created the failing operation and which a note names."""
    if isinstance(where, Where):  # in a canonical graph `where` is a number that the caller resolves
        error.add_note(f"lazynp: the operation was created at {where}")
        error.__traceback__ = _traceback_at(where)
    return error


def _traceback_at(where: Where) -> TracebackType | None:
    """What a traceback would hold if the user's line itself had raised."""
    raises = compile("\n" * (where.line - 1) + "raise LookupError", where.filename, "exec").replace(co_name=where.code.co_name)
    try:
        exec(raises, {})
    except LookupError as error:
        return error.__traceback__.tb_next if error.__traceback__ is not None else None
    return None


def shown_traceback(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback down to the user's own line: without the frames of lazynp and NumPy that lie deeper."""
    frames = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    while len(frames) > 1 and is_ours(frames[-1].tb_frame.f_code):
        frames.pop()
    shown = None
    for frame in reversed(frames):
        shown = TracebackType(shown, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    return shown


def show_users_lines() -> None:
    """Let Python end a traceback at the user's line, unless the program has a hook of its own. LAZYNP_TRACEBACK=full shows all frames."""
    if sys.excepthook is not sys.__excepthook__ or os.environ.get("LAZYNP_TRACEBACK") == "full":
        return

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        full = isinstance(error, (CompileError, VerifyError))  # a defect of lazynp: its frames are what the report needs
        shown = traceback if full else shown_traceback(traceback)
        sys.__excepthook__(kind, error.with_traceback(shown), shown)

    sys.excepthook = hook
