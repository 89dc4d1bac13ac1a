"""When lazy work is worth a program: the ski rental rule, by count of work.

A script's preparations and reports run once; compiling them would cost more than running them. NumPy computes a graph until that has
taken `settings.compile_after` milliseconds, more for a graph that the compiler takes longer for, in this process and in earlier ones. If
this process alone has spent them, the C compiler starts beside the program, and its result is used from twice as much on, whether it was
ready long before or is still waited for: whether the last bits are NumPy's or the compiled program's must not depend on how busy the
machine is. Nothing is timed for the same reason. A graph that earlier processes have met will be met by later ones: a quarter of the price
is enough for it, and the process compiles when it has done its work, at exit. By the same rule nobody looks for a program on disk before
NumPy has taken as long as looking takes: a first time, for the compiler's name and the versions of files, and then for each graph.
"""

import atexit
import json
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from lazynp import choices
from lazynp.backends import base, diskcache, threads, toolchain
from lazynp.config import settings
from lazynp.errors import CompileError
from lazynp.ir.canonical import Form, Variant
from lazynp.ir.node import Graph, Node, const
from lazynp.ir.op import Kind
from lazynp.ir.types import ArrayType, itemcount
from lazynp.ops.elementwise import power, where
from lazynp.ops.movement import broadcast
from lazynp.runtime.short import is_short

_COMPILER_MS = 80.0
"""What optimising and compiling a program of few operations takes, about."""
_OPERATION, _COMPLEX_OPERATION, _FEW = 0.05, 0.5, 8
"""By which part of that each operation beyond a few ones, and each one on complex numbers, adds to it: 70 ms for ten sums, 600 ms for a
Julia set with complex magnitudes (gcc 12, on programs of tests/programs)."""
_SWITCH = 2
"""The program is used when NumPy has spent so many times the price of a program: it takes the compiler about as long."""
_AGAIN = 4
"""By how much a program is worth more for what is run again and again. A script of 25 ms that starts daily should not wait for days; it has
shown that it is one when it starts for the second time."""
_FIND_MS = 4.0
"""What a process pays before its first look at the disk: the CPU, the compiler, and the state of the sources are part of every name."""
_LOAD_MS = 1.0
"""What it takes to find a program on disk and to load it."""
_RARE = 4
"""So often a short graph comes before it is looked for on disk. One that is found there is used, and is never found to be short."""
_LEAST = 1.0
"""Milliseconds in a process that are worth a note for the next one."""
_CACHED = 1 << 21
"""Bytes of an array that stays in a processor's cache until it is read again."""
_SPENT = ".spent"
"""In the disk cache: what earlier processes have spent on a graph, in milliseconds."""
_GENERAL = ".general"
"""The same: a program for all sizes was compiled for a graph that was first met with the sizes of this name."""


_looked = False
_unlooked_ms = 0.0
"""What NumPy has taken in this process before its first look at the disk."""


class Waiting:
    """A graph that NumPy computes. before, spent: milliseconds in earlier processes and in this one; name: its name on disk, "" as long as
    nobody has looked there."""

    def __init__(self, form: Form, operations: int) -> None:
        self.rare = _RARE * is_short(form, operations)
        """How many more times it may come without being worth a look: the lines of a short graph are NumPy's when they come again."""
        self.price = settings.compile_after * max(1.0, compiling(form) / _COMPILER_MS)
        """What NumPy must have spent before a program is compiled, in milliseconds."""
        self.name = ""
        self.looked = False
        self.before = 0.0
        self.spent = 0.0
        self.facts: tuple[Any, ...] = ()
        """Of its last run."""
        self.ready: Any = None
        self.begun: tuple[Variant, tuple[Any, ...]] | None = None
        """What is being compiled, and for which facts first."""
        self.due: Variant | None = None
        """What should be compiled when this process has nothing else to do."""
        self.varies = False
        """Whether that is a program for all sizes."""
        self._compilation: Any = None

    def may_look(self) -> bool:
        """Whether the disk should be asked for a program: once for a graph, when that costs no more than NumPy has taken."""
        if self.looked or self.rare or self.spent < _LOAD_MS:
            return False
        return _looked or _unlooked_ms >= _FIND_MS

    def look(self, names: list[str]) -> None:
        """No program of these names is there: what earlier processes have spent on the graph counts from now on."""
        global _looked
        self.looked = _looked = True
        self.name = names[0] if names else ""
        self.before = min(float(diskcache.get(self.name, _SPENT) or 0), self.price) if names else 0.0

    def spend(self, cost: float) -> None:
        """NumPy is about to take so many milliseconds."""
        global _unlooked_ms
        self.spent += cost
        self.rare = max(self.rare - 1, 0)
        _unlooked_ms += cost

    def is_due(self) -> bool:
        """Whether a program is worth its compilation, and nobody works on it."""
        price = self.price / _AGAIN if self.before else self.price
        enough = self.looked and self.begun is None and self.before + self.spent > price
        return enough and toolchain.find_compiler() is not None

    def may_begin(self) -> bool:
        """Whether the compiler should start now: for what this process goes on with, and not beside as many others as there are other
        processors."""
        if self.spent <= self.price:
            return False
        _running[:] = [thread for thread in _running if thread.is_alive()]
        return len(_running) < max(1, threads.processors() - 1)

    def begin(self, graph: Graph, name: str, variant: Variant, facts: tuple[Any, ...]) -> None:
        """Start the compiler on an optimised graph. name: in the disk cache."""
        self.begun = variant, facts
        answers = import_module("lazynp.backends.tune").kept_answers(graph) if settings.autotune else {}
        with choices.using(answers):
            self._compilation = import_module("lazynp.backends.c").Compilation(graph, name)
        _running.append(self._compilation)

    def is_over(self) -> bool:
        """Whether it is time for a program."""
        return self.before + self.spent > _SWITCH * self.price

    def program(self) -> base.Program | None:
        """What the compiler has made, waited for; None if it was never started. Raises CompileError."""
        return None if self._compilation is None else self._compilation.result()


_running: list[Any] = []


def is_long(cost: float, form: Form) -> bool:
    """Whether running a graph once takes longer than compiling it."""
    return cost > 2 * _COMPILER_MS and cost > 2 * compiling(form)


def is_large(form: Form) -> bool:
    """Whether compiling a graph takes seconds. Derivatives, which are compiled at once for the calls to come, then begin as lazy work does:
    one that asks for values in a loop makes such a graph at every turn, each one different."""
    return compiling(form) > 12 * _COMPILER_MS


def compiling(form: Form) -> float:
    """What optimising and compiling a graph takes, about, in milliseconds."""
    units = 0.0
    for node in form.order:
        if node.args and isinstance(node.type, ArrayType) and node.op.kind is not Kind.MOVE:
            first = node.args[0].type
            is_complex = isinstance(first, ArrayType) and first.dtype.kind == "c"
            units += _COMPLEX_OPERATION / _OPERATION if is_complex else 1.0
    return _COMPILER_MS * (1.0 + _OPERATION * max(0.0, units - _FEW))


def milliseconds(form: Form) -> float:
    """What NumPy takes for a graph, about: ten microseconds for a call, a nanosecond for an element of an addition, three where the result
    does not stay in the cache. Movements are views, or copies that a compiled program makes too."""
    total = 0.0
    for node in form.order:
        if node.args and isinstance(node.type, ArrayType):
            if node.op.kind is not Kind.MOVE:
                total += 0.01
                count = itemcount(node.type.shape)
                memory = 2.0 if count * node.type.dtype.itemsize > _CACHED else 0.0
                total += 1e-6 * (_cost(node) + memory) * count
    return total


_SHORT_POWERS = (2, 0.5, -1)
"""Exponents for which NumPy multiplies, takes the root or divides."""


_CHOICE = 10.0
"""NumPy's `where` is a branch for every element: as long as so many additions."""
_COMPLEX_ADDITION, _COMPLEX_FUNCTION = 2.0, 8.0
"""By how much what is added and multiplied, and what is a function, takes longer of complex numbers."""


def _cost(node: Node) -> float:
    """In additions per element."""
    if node.op is where:
        return _CHOICE
    cost = min(_real_cost(node), 20.0)
    if isinstance(node.args[0].type, ArrayType) and node.args[0].dtype.kind == "c":
        cost *= _COMPLEX_ADDITION if cost <= 1.0 else _COMPLEX_FUNCTION
    return cost


def _real_cost(node: Node) -> float:
    if node.op is power:
        exponent = node.args[1].args[0] if node.args[1].op is broadcast else node.args[1]
        if exponent.op is const and exponent.value.array.ndim == 0 and exponent.value.array in _SHORT_POWERS:
            return 1.0
    return node.op.cost


def note_general(name: str, varying: list[int]) -> None:
    """Leave to later processes which sizes and constants of a graph, by position, vary."""
    diskcache.put(name, _GENERAL, json.dumps(varying).encode())


def noted_general(names: list[str]) -> list[int] | None:
    """The positions of what varies, if a process has seen that something does."""
    stored = diskcache.get(names[0], _GENERAL) if names else None
    return None if stored is None else json.loads(stored)


def keep_notes(waiting: Iterable[Waiting]) -> None:
    """Leave what was spent to the next process."""
    for one in waiting:
        if one.name and one.begun is None and one.spent >= _LEAST:
            diskcache.put(one.name, _SPENT, f"{one.before + one.spent:.3f}".encode())


_AT_EXIT = 2
"""So many programs a process compiles before it ends: nobody should wait for more. The others are due in the next one."""


def at_exit(waiting: dict[Any, Waiting], build: Callable[[Graph], Any]) -> None:
    """At the end of this process note what was spent on what waits then, and build what is due, where the next one will find it."""

    def leave() -> None:
        if not diskcache.lasts():
            return
        keep_notes(waiting.values())
        due = [one.due for one in waiting.values() if one.due is not None and one.begun is None]
        for variant in due[:_AT_EXIT]:
            try:
                build(variant.graph)
            except (CompileError, OSError, KeyboardInterrupt):  # the process that needs the program tries again and says what is wrong
                return

    atexit.register(leave)
