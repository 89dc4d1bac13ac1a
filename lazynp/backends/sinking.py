"""Numbers of a turn that only one side of a branch needs are computed there: how often a loop in it goes round is a division.

`for i in ...: if flags[i]: for j in range(i * i, n, i)`. Compilers do not move what has branches of its own, as the quotient of Python has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAME = re.compile(r"\bn\d+\b")
_COMPUTED = re.compile(r"const int64_t (n\d+) = [^\[]*;")
"""Without what is read from memory, which may change on the way."""
_REPEATS = ("for ", "while ", "do ")


def sunk(declared: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Both, one after the other, each declaration of an integer as deep in branches as all that mentions it."""
    result = list(lines)
    for line in reversed(declared):
        found = _COMPUTED.fullmatch(line)
        place = None if found is None else _place(found[1], result)
        result.insert(place or 0, line)
    return result


def _place(name: str, lines: list[str]) -> int | None:
    """The first line of the innermost side of a branch, in no loop, in which all mentions of a name are; None where there is none."""
    opened: list[int] = []
    common: list[int] | None = None
    for number, line in enumerate(lines):
        if line.startswith("}") and opened:
            opened.pop()
        if name in _NAME.findall(line):
            common = opened.copy() if common is None else [k for k, other in zip(common, opened, strict=False) if k == other]
        if line.count("{") > line.count("}") - line.startswith("}"):
            opened.append(number)
    place = None
    for number in common or ():
        if lines[number].startswith(_REPEATS):
            break
        if lines[number].startswith(("if (", "} else")):
            place = number + 1
    return place
