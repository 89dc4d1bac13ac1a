"""A compiled signature of a jitted function: how its program is called, and what the function returns."""

from collections.abc import Mapping, Sequence
from types import CellType, MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from lazynp import array as arrays
from lazynp import views
from lazynp.array import ndarray
from lazynp.backends.base import raised
from lazynp.backends.pool import Kept
from lazynp.backends.program import CallTables, CProgram
from lazynp.config import settings
from lazynp.errors import error_settings
from lazynp.ir import canonical
from lazynp.ir.node import Node
from lazynp.layout import block_of_nothing
from lazynp.native import ARRAYS, keeping
from lazynp.ops.movement import Path, follow_numpy
from lazynp.runtime.evaluate import Ready, located, prepare
from lazynp.runtime.flags import as_called, dropped, follow_up, tell
from lazynp.runtime.nans import check_nans
from lazynp.runtime.storage import Storage, bound
from lazynp.trace import regions, trees
from lazynp.trace.capture import Output, Traced, is_array
from lazynp.trace.direct import TRACED_SCALARS
from lazynp.trace.donation import Donation, delete, is_given
from lazynp.trace.guards import Guard, Variable, holds
from lazynp.trace.laid import Laid
from lazynp.trace.nothing import Sometimes

UNKNOWN = object()
"""Of a signature of which is not known yet whether calls can be made from C."""
ALONE = object()
"""The structure of a result that is one leaf."""
_CONSTANTS = frozenset({int, float, complex, bool, str})
"""Types of constants that every call may return."""


def form_of(traced: Traced, reused: dict[int, int] | None = None) -> canonical.Form:
    """The graph of a trace: its values, then what it leaves in arguments, then in storages from outside. reused: values that are written
    into the memory of an argument."""
    outer = list(traced.written_outside.values())
    outputs = (*traced.values, *traced.written.values(), *[node for _, node in outer])
    first = len(traced.values)
    aliases = {k: traced.inputs[argument] for k, argument in (reused or {}).items()}
    aliases |= {first + k: traced.inputs[argument] for k, argument in enumerate(traced.written)}
    aliases |= {first + len(traced.written) + k: leaf for k, (leaf, _) in enumerate(outer)}
    return canonical.take_apart(outputs, aliases)  # type: ignore[arg-type]


class Shown(NamedTuple):
    """A result that is a view of a value: from so many bytes behind its first element on."""

    number: int
    begins: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    writeable: bool


class Compiled:
    """One signature of a jitted function: the program, where its inputs come from and what its result is made of."""

    __slots__ = (
        "constants",
        "direct",
        "donation",
        "errors",
        "form",
        "guards",
        "kept",
        "laid",
        "name",
        "outside",
        "places",
        "plain",
        "ready",
        "results",
        "scalars",
        "structure",
        "traced",
        "writes",
    )

    def __init__(
        self,
        traced: Traced,
        guards: list[Guard],
        name: str = "",
        donated: frozenset[int] = frozenset(),
        kept: Kept | None = None,
        variables: Mapping[Node, Variable] = MappingProxyType({}),
    ) -> None:
        """name: of the function; donated: the numbers of donated leaves; kept: where its memory comes from, None: from all programs';
        variables: the inputs from outside that are found anew at every call."""
        self.traced = traced
        self.laid = traced.laid
        self.name = name
        self.donation = Donation(traced, donated)
        self.kept = kept
        self.guards = guards
        self.direct: Any = UNKNOWN
        self.errors = error_settings()
        writes = list(traced.written.items())
        outer = list(traced.written_outside.values())
        self.form = form_of(traced, self.donation.reused)
        self.ready: Ready = prepare(self.form)
        argument_of = {leaf: i for i, leaf in enumerate(traced.inputs) if leaf is not None}
        self.places = [argument_of.get(leaf, -1) for leaf in self.form.leaves]
        self.outside = [variables.get(leaf, traced.outside.get(leaf)) for leaf in self.form.leaves]
        self.constants = [bound(leaf) for leaf in self.form.leaves]
        self.writes = [argument for argument, _ in writes]
        self.scalars = traced.scalars
        self.results = traced.results
        self.structure = traced.structure
        self.plain = (
            not writes
            and not outer
            and not self.donation.deleted
            and all(p >= 0 or o is None for p, o in zip(self.places, self.outside, strict=True))
        )

    def holds(self) -> bool:
        """Whether the variables that the trace read from outside are still the same objects."""
        return holds(self.guards)

    def run(self, leaves: list[Any], lazy: bool, blocks: bool) -> Any:
        """Run on the leaves of a call: NumPy arrays or handles, of this signature. lazy: some are handles; blocks: all arrays are
        contiguous in C order."""
        places, given = self.places, leaves
        if self.scalars:
            leaves = [np.asarray(leaf) if type(leaf) in TRACED_SCALARS else leaf for leaf in leaves]
        if self.plain and blocks and not lazy:
            inputs = [leaves[p] if p >= 0 else c for p, c in zip(places, self.constants, strict=True)]
            values = self._run(inputs, None)
            if self.traced.doubted and values[-1]:
                raise Doubted
        else:
            values = self._run_general(leaves)
        return self.result(values, given, lazy)

    def tables(self) -> CallTables | None:
        """What a call from C needs of the program, if it can be called from there."""
        program, dims, _ = self.ready
        return program.call_tables(dims) if type(program) is CProgram else None

    def plain_result(self) -> Any:
        """What the function returns as _direct.c reads it; None where there is more to it than new arrays, views of them, and
        numbers in tuples, lists and dicts, or where there are warnings to tell."""
        leaves = [self._form(output) for output in self.results]
        if None in leaves or self.traced.told or all(type(leaf) is CellType for leaf in leaves):
            return None
        if self.structure is ALONE:
            return leaves[0]
        return trees.unflatten(self.structure, leaves) if type(self.structure) is trees.Plain else None

    def _form(self, output: Output) -> int | Shown | CellType | slice | None:
        """A leaf of the result: the number of an array with axes or of NumPy's scalar, -1 less that of a number of Python's; a cell with a
        constant; a slice for one or the other; Shown for a view."""
        kind, index, path, value, locked = output
        if kind == "either":
            first, second, chosen = [self._form(part) for part in value]
            return None if first is None or second is None or chosen is None else slice(first, second, chosen)
        if kind == "static":
            return CellType(value) if type(value) in _CONSTANTS else None
        if locked is None:
            return None
        if kind == "number" and not path and not locked:
            return -1 - index
        if kind == "scalar" or (kind == "value" and self.traced.values[index].shape):
            return _shown(index, self.traced.values[index].type, path, locked) if path or locked else index
        return None

    def reported(self, code: int, error: int, index: int, size: int, leaves: list[Any]) -> None:
        """After a call from C: floating-point flags and an index out of range."""
        if raised:
            dropped()
        try:
            self.ready.program.finish(code, (error, index, size))  # type: ignore[attr-defined]
        except Exception as raising:
            raise located(raising, self.form) from None
        if raised:
            places = zip(self.places, self.outside, self.constants, strict=True)
            inputs = [self._given(p, leaves[p]) if p >= 0 else c if o is None else _current(o) for p, o, c in places]
            follow_up(self.ready.program, self.form, inputs, as_called(self.errors))

    def _given(self, argument: int, leaf: Any) -> np.ndarray:
        array = np.asarray(leaf)
        return self.laid[argument].block(array) if argument in self.laid else array

    def _run(self, inputs: list[Any], outputs: Any) -> list[np.ndarray]:
        if settings.debug_nans:
            check_nans(self.form, [np.asarray(x) for x in inputs])
        try:
            results = self.ready.run(inputs, outputs, self.kept)
        except Exception as error:
            if self.traced.doubted and hasattr(error, "lazynp_origin"):  # Python may have raised something else before
                raise Doubted from None
            raise located(error, self.form) from None
        if raised and self.traced.doubted and results[len(self.traced.values) - 1]:  # the call comes again, and with it its warnings
            dropped()
        elif raised:
            follow_up(self.ready.program, self.form, inputs, as_called(self.errors))
        return results

    def _run_general(self, leaves: list[Any]) -> list[np.ndarray]:
        """Arguments that are written to or not contiguous, storages and arrays from outside of the function."""
        free = {leaf for leaf in self.donation.reused.values() if is_given(leaves[leaf]) and not overlaps(self, leaf, leaves)}
        memory = [arrays.to_numpy(leaf) if is_array(leaf) else leaf for leaf in leaves]
        for argument in (*self.writes, *free):
            if type(leaves[argument]) is ndarray and leaves[argument]._storage is not None:
                leaves[argument]._storage.settle_readers()
        private = frozenset(self.donation.reused.values()) - free
        blocks = [self._block(i, m, i in private) if isinstance(m, np.ndarray) else m for i, m in enumerate(memory)]
        inputs = []
        for place, source, constant in zip(self.places, self.outside, self.constants, strict=True):
            inputs.append(blocks[place] if place >= 0 else constant if source is None else _current(source))
        targets: list[Any] = [None] * len(self.traced.values)
        for value, argument in self.donation.reused.items():
            targets[value] = blocks[argument]
        targets += [blocks[argument] for argument in self.writes]
        for storage in self.traced.written_outside:
            storage.settle_readers()
            targets.append(storage.force())
        written = [t for t in targets if t is not None] if self.traced.doubted else []  # nothing is donated then
        before = [keeping(np.copy, t) for t in written]
        try:
            values = self._run(inputs, targets)
            if self.traced.doubted and values[len(self.traced.values) - 1]:
                raise Doubted
        except Doubted:
            for target, contents in zip(written, before, strict=True):
                target[...] = contents
            raise
        except BaseException:  # perhaps after some of a donated array was overwritten
            for argument in free:
                delete(leaves[argument], self.name)
            raise
        for argument in self.writes:
            if not np.may_share_memory(blocks[argument], memory[argument]):
                how = self.laid.get(argument)
                memory[argument][...] = blocks[argument] if how is None else follow_numpy(blocks[argument], how.path)
            if type(leaves[argument]) is ndarray and leaves[argument]._storage is not None:
                leaves[argument]._storage._leaf = None
        for storage in self.traced.written_outside:
            storage.overwritten()
        for argument in self.donation.deleted:
            delete(leaves[argument], self.name)
        return values

    def _block(self, argument: int, array: np.ndarray, private: bool) -> np.ndarray:
        """An argument, or the block that it is a view of, as the program takes it. private: a copy of it."""
        how = self.laid.get(argument)
        if how is None:
            return np.array(array, order="C") if private else _block(array)
        private = private or not array.flags.aligned or (not how.whole and (argument in self.writes or settings.debug_nans))
        return how.own_block(array) if private else how.block(array)

    def result(self, values: list[np.ndarray], leaves: list[Any], lazy: bool) -> Any:
        """What the function returns, made of the program's values and of the arguments."""
        for place, warning, where in self.traced.told:
            if values[place]:
                tell(warning, where)
        out = [self._leaf(output, values, leaves, lazy) for output in self.results]
        if type(self.structure) is Sometimes:
            value, is_there = trees.unflatten(self.structure.pair, out)
            return value if is_there else None
        return out[0] if self.structure is ALONE else trees.unflatten(self.structure, out)

    def _leaf(self, output: Output, values: list[np.ndarray], leaves: list[Any], lazy: bool) -> Any:
        kind, index, path, value, locked = output
        if kind in ("value", "scalar", "placed"):
            array = _placed(output, values, leaves, self.laid) if kind == "placed" else _followed(values[index], path, locked)
            if locked:
                array = array.view()
                array.flags.writeable = False
            if not lazy:
                return array if kind != "scalar" else array[()]
            handle = arrays.adopt(array)
            handle._scalar = kind == "scalar"
            return handle
        if kind == "number":
            return value(values[index].item())
        if kind == "either":
            first, second, chosen = value
            return self._leaf(first if self._leaf(chosen, values, leaves, lazy) else second, values, leaves, lazy)
        if kind == "argument":
            return _argument_view(leaves[index], path[len(self.laid[index].path) :] if index in self.laid else path, locked)
        if kind == "outside":
            return follow_numpy(value, path)
        return value.copy() if type(value) in ARRAYS else value


def _placed(output: Output, values: list[np.ndarray], leaves: list[Any], laid: Mapping[int, Laid]) -> np.ndarray:
    """A result that is a view, if the program says so."""
    place, known, start = output.value
    number, offset = regions.taken_apart(int(values[place]))
    array = values[output.index] = regions.in_order(values[output.index], int(values[place]))
    if number not in known:
        return follow_numpy(array, output.path)
    kind, owner, strides = known[number]
    if kind == "order":
        array = values[output.index] = regions.in_order(array, owner)
        return follow_numpy(array, output.path)
    memory = values[owner] if kind == "value" else arrays.exported(leaves[owner])
    begins = laid[owner].begins if kind == "argument" and owner in laid else 0
    view = regions.view_at(memory, follow_numpy(array, start).shape, strides, begins + offset)
    try:
        return follow_numpy(view, output.path[len(start) :])
    except ValueError:  # NumPy's reshape copies
        return follow_numpy(array, output.path).copy()


def _shown(number: int, value: Any, path: Any, locked: bool) -> Shown | None:
    """A view of a value; None where its size is computed."""
    if not all(type(n) is int for n in value.shape):
        return None
    whole = block_of_nothing(value.shape, value.dtype)
    view = follow_numpy(whole, path)
    start, first = [array.__array_interface__["data"][0] for array in (whole, view)]
    return Shown(number, first - start, view.shape, view.strides, view.flags.writeable and not locked)


class Doubted(Exception):
    """A program has met what Python would have answered with an error or an integer of more than 64 bits; nothing has been changed."""


def _block(array: np.ndarray) -> np.ndarray:
    return array if array.flags.carray or (array.flags.c_contiguous and array.flags.aligned) else np.array(array, order="C")


def _current(source: Any) -> np.ndarray:
    """The present contents of a variable, storage or NumPy array that a trace read from outside."""
    if type(source) is Variable:
        source = source.now()
    return source.force() if isinstance(source, Storage) else _block(source)


def _followed(array: np.ndarray, path: Path, locked: bool | None) -> np.ndarray:
    return array if not path else arrays.follow_repeated(array, path) if locked is None else follow_numpy(array, path)


def _argument_view(leaf: Any, path: Any, locked: bool | None) -> Any:
    if not path:
        return leaf
    if type(leaf) is ndarray:
        for step in path:
            leaf = views.view_along(leaf, step)
        leaf._readonly = leaf._readonly if leaf._storage is None or locked is not None else None
    else:
        leaf = _followed(leaf, path, locked)
    if locked:
        leaf.flags.writeable = False
    return leaf


def overlap(entry: Compiled, leaves: Sequence[Any]) -> bool:
    """Whether an argument that is written to shares memory with another array that the function reads: then the trace's idea of them as
    separate is wrong."""
    return any(overlaps(entry, argument, leaves) for argument in entry.writes)


def overlaps(entry: Compiled, argument: int, leaves: Sequence[Any]) -> bool:
    """Whether an argument shares memory with another array that the function reads."""
    memory = [arrays.geometry(leaf) if type(leaf) is ndarray else leaf for leaf in leaves]
    sources = [source.now() if type(source) is Variable else source for source in entry.outside]
    memory += [source.memory() if isinstance(source, Storage) else source for source in sources]
    return any(
        other != argument and isinstance(block, np.ndarray) and np.may_share_memory(memory[argument], block)
        for other, block in enumerate(memory)
    )
