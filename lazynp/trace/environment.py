"""What a trace reads and must not change outside of its function: which arrays are inputs of the program, what guards the rest."""

from collections.abc import Callable, Iterable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from lazynp.array import may_write, ndarray, to_numpy
from lazynp.errors import CaptureError
from lazynp.ir.node import Node
from lazynp.ir.types import LAZY_DTYPES
from lazynp.native import ARRAYS
from lazynp.ops.movement import follow_numpy
from lazynp.runtime.storage import same_contents
from lazynp.trace.calls import reading
from lazynp.trace.capture import Output, Traced
from lazynp.trace.guards import LARGEST, SMALL, Found, Guard, Surroundings, Variable, form_of, has_bytes, has_form, has_objects, is_same

Varying = set[Any]
"""Arrays from outside that have changed between calls, by the names of the variables: from then on they are inputs whatever their size."""


class Environment:
    """The surroundings of a jitted function, before and after its trace.

    function: what is traced, with the leaves of a call; varying: see `Varying`."""

    def __init__(self, function: Any, leaves: Iterable[Any], varying: Varying) -> None:
        self._function = function
        self._leaves = list(leaves)
        before = Surroundings([function], self._leaves, by_name=True)
        self._known = {id(found.array): found.array for found in before.arrays.values()}
        self._varying = {
            id(found.array): found.array
            for found in before.arrays.values()
            if any(_key(variable) in varying for variable in found.variables)
        }
        self._called: dict[CodeType, FunctionType] = {}
        self._as_values = False

    def traced(self, trace: Callable[[dict[CodeType, FunctionType]], Traced]) -> Traced:
        """The trace, with large arrays from outside as inputs; where that fails because it needs their values, with these as constants.
        trace: called with a dictionary that it fills with the user's functions that are called."""
        with reading(self._varying, self._known, False) as how:
            try:
                with _Unwritten(self._known.values()):
                    return self._with_views(trace(self._called))
            except CaptureError:
                if not how.met:
                    raise
        self._called.clear()
        self._as_values = True
        with reading({}, self._known, True), _Unwritten(self._known.values()):
            return self._with_views(trace(self._called))

    def _with_views(self, traced: Traced) -> Traced:
        """With arrays from outside as such among the results; what else Python has made is made anew for each call."""
        results = []
        for output in traced.results:
            if output.kind == "outside" and id(output.value) not in self._known:
                output = Output("static", value=follow_numpy(output.value, output.path))
            elif output.kind == "static" and id(output.value) in self._known:
                output = output._replace(kind="outside")
            results.append(output)
        return traced._replace(results=results)

    def guards(self, traced: Traced) -> tuple[list[Guard], dict[Node, Variable]]:
        """What must hold for the trace to count, and the inputs that are found anew at every call."""
        around = Surroundings([self._function, *self._called.values()], self._leaves, by_name=not self._called)
        if around.refused:
            raise CaptureError(around.refused)
        guards = around.guards
        inputs = {id(source): leaf for leaf, source in traced.outside.items() if type(source) in ARRAYS}
        taken = {id(source) for source in traced.taken}
        returned = {id(output.value) for output in traced.results}
        variables = {}
        for found in around.arrays.values():
            lazy = type(found.array) is ndarray
            if id(found.array._storage if lazy else found.array) in taken:
                guards += _by_contents(found)
            elif lazy or id(found.array) in returned:
                guards += _by_identity(found)
            elif self._is_constant(found.array, inputs):
                guards += _by_contents(found)
            elif len(found.variables) == 1 and not found.pinned:
                (variable,) = found.variables
                guards.append((has_form, (*variable, form_of(found.array)), True))
                if id(found.array) in inputs:
                    variables[inputs[id(found.array)]] = variable
            else:
                guards += _by_identity(found)
        return guards, variables

    def _is_constant(self, array: np.ndarray, inputs: dict[int, Node]) -> bool:
        """Whether the trace may have read the values of an array."""
        is_input = array.dtype in LAZY_DTYPES and not self._as_values and (array.nbytes > SMALL or id(array) in self._varying)
        if is_input and (self._called or id(array) in inputs):
            return False
        return array.nbytes <= LARGEST


class _Unwritten:
    """Around a trace. Puts back what it has written into arrays from outside; raises CaptureError if there is something: where no traced
    value is involved NumPy writes at once, while tracing. Not seen: what takes more than 64 MB together."""

    def __init__(self, arrays: Iterable[Any]) -> None:
        self._before: list[tuple[np.ndarray, np.ndarray]] = []
        room = LARGEST
        for array in sorted([a for a in arrays if type(a) in ARRAYS], key=lambda a: a.nbytes):
            room -= array.nbytes
            if room < 0:
                break
            if may_write(array) and not array.dtype.hasobject:
                self._before.append((array, array.copy()))

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, where: Any) -> None:
        written = [(array, before) for array, before in self._before if not same_contents(before, array)]
        for array, before in written:
            array[...] = before
        if written and error is None:
            raise CaptureError("it writes to an array from outside, which a compiled call would not: pass it as an argument")


def _key(variable: Variable) -> Any:
    """What stays the same of a variable when another array is assigned to it."""
    return getattr(variable.read, "__qualname__", ""), variable.name if type(variable.name) is str else id(variable.name)


def _by_identity(found: Found) -> list[Guard]:
    return [(variable.read, variable.name, found.array) for variable in found.variables]


def _by_contents(found: Found) -> list[Guard]:
    array = to_numpy(found.array)
    if array.dtype.hasobject:
        return [*_by_identity(found), (has_objects, (array, array.ravel().tolist(), (array.shape, array.dtype)), True)]
    return [*_by_identity(found), (has_bytes, (found.array, bytearray(array.tobytes()), (array.shape, array.dtype)), True)]


def changed(guards: Iterable[Guard]) -> Varying:
    """The variables whose arrays are not what they were."""
    varying = set()
    arrays = {id(snapshot[0]): snapshot for read, snapshot, _ in guards if read is has_bytes}
    for read, name, value in guards:
        if type(value) in ARRAYS:
            now = read(name)
            if type(now) in ARRAYS and not (now is value and (id(value) not in arrays or has_bytes(arrays[id(value)]))):
                varying.add(_key(Variable(read, name)))
    return varying


def first_changed(guards: Iterable[Guard]) -> str:
    """The name of a variable that is not what it was, for messages."""
    for read, name, value in guards:
        now = read(name)
        if now is not value and not is_same(now, value):
            return name if type(name) is str else "what it reads"
    return "what it reads"
