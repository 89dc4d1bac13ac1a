"""Variables that a traced loop or branch assigns on one way only.

Python's own variable is empty then, so whoever reads it unseen gets a NameError, never a wrong value. What it may hold is kept beside it
(`lazynp.trace.places`). Where the function reads such a variable (`trace/assignment.py` says where that can be), the program has a doubt:
if it was not assigned, the call is repeated in lazy mode, and Python raises its error.
"""

from collections.abc import Callable
from typing import Any

from lazynp.errors import CaptureError
from lazynp.ops import elementwise as ew
from lazynp.trace import bodies, queues
from lazynp.trace.places import Maybe, contents


class MaybeUnbound(str):
    """The name of a variable that is read where it may be unassigned."""

    __slots__ = ()


def read_maybe(read: Callable[[], Any]) -> Any:
    """read(), which returns a variable: also one that may be unassigned."""
    cells = read.__closure__ or ()  # type: ignore[attr-defined]
    held = contents(cells[0]).get(None) if cells else None
    if type(held) is not Maybe:
        return read()
    if not queues.doubt(ew.logical_not(bodies.truth(held.bound))):
        raise CaptureError("a variable is read that a loop or branch over traced values assigns on one way only")
    return held.value
