"""The constants of the cost model, each with what it decides between and the measurement that gave it.

    value("recompute")                      what holds now
    with using({"recompute": 8.0}): ...     while a program is made with another one

`python -m lazynp tune` measures them on this machine and keeps what was best; `config(autotune=True)` measures them for each program
(backends/tune.py). No result depends on them, except where `exact` is False: then in the last bits.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import NamedTuple


class Choice(NamedTuple):
    """what: the question; default: the answer where nothing was measured; alternatives: what is tried, the default among them; measured:
    where the default comes from; exact: whether every alternative has the same bits."""

    what: str
    default: float
    alternatives: tuple[float, ...]
    measured: str
    exact: bool = True


TABLE = {
    "recompute": Choice(
        "A value that several read is computed again for each of them, rather than stored, up to so many additions per element.",
        2.0,
        (0.0, 2.0, 8.0, 30.0),
        "an addition takes 0.06 ns an element, a store and a load 0.15 to 1 ns (float64, from the first-level cache to memory)",
    ),
    "blas": Choice(
        "A product of matrices with more multiplications than this is BLAS's, a smaller one is loops.",
        4096,
        (256, 4096, 65536),
        "16 x 16 x 16: 0.9 us in loops, 1.1 us by OpenBLAS",
        exact=False,
    ),
    "tile": Choice(
        "Columns whose running results are folded together, row after row.",
        256,
        (128, 256, 512),
        "sums over the first axis of 2000 x 2000: 256 columns stay in the first-level cache with what is read of four rows",
    ),
    "band": Choice(
        "Bytes of each array in a band of rows over which two nests hand over what they have in common.",
        8192,
        (4096, 8192, 32768),
        "normalised rows of 100 (80 MB): 6 kB 4.6 ms, 12 to 32 kB 6.0 ms: what is fetched ahead comes while a band is computed",
    ),
    "parallel": Choice(
        "Elements from which a kernel uses threads; 0: as config.parallel_threshold says.",
        0,
        (0, 1 << 14, 1 << 62),
        "65,536 additions take 10 us, waking a thread takes 5 us",
    ),
}


class _Current(local):
    """What holds in this thread instead of the defaults."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}


_current = _Current()
_machine: dict[str, float] = {}
"""What was measured on this machine."""


def value(name: str) -> float:
    """The answer that holds now."""
    found = _current.values.get(name)
    if found is None:
        found = _machine.get(name, TABLE[name].default)
    return found


def whole(name: str) -> int:
    """The same of a number of things."""
    return int(value(name))


@contextmanager
def using(values: dict[str, float]) -> Iterator[None]:
    """In this thread, inside the block, other answers hold."""
    before, _current.values = _current.values, {**_current.values, **values}
    try:
        yield
    finally:
        _current.values = before


def changed() -> tuple[tuple[str, float], ...]:
    """The answers that are not the defaults: part of the name of what is compiled with them."""
    return tuple(sorted({**_machine, **_current.values}.items()))


def load(path: str) -> None:
    """Take over what was measured on this machine, if it was. Names that are no longer asked for are left out."""
    _machine.clear()
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            _machine.update({name: found for name, found in json.load(file).items() if name in TABLE and found != TABLE[name].default})


def save(path: str, values: dict[str, float]) -> None:
    """Keep what was measured, for the processes of this machine."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=1)
    os.replace(temporary, path)
    load(path)
