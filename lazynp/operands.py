"""What an operation takes, and what recording one means.

An operand is recorded if it is pending or large, or if a trace runs; then it is a node of the graph, or a Python number whose dtype is
weak. Every function that goes lazy runs through `recorded`, which notes the user's line on what it makes."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.array import as_array, exported, hooks, is_pending, ndarray, to_numpy, wrap
from lazynp.backends import pool
from lazynp.config import settings
from lazynp.errors import DEFAULT_ERRORS, SILENT, ErrorSettings, Where, error_settings, recording_position, user_frame, user_position
from lazynp.escapes import is_only_computed_with
from lazynp.handlers import is_caught, is_warning_caught
from lazynp.ir.node import Node, const, constant
from lazynp.ir.types import LAZY_DTYPES, NotLazy, Symbolic, Undecided, itemcount
from lazynp.native import ARRAYS, keeping, tracing_count, watched
from lazynp.ops import elementwise as ew
from lazynp.ops.indexing import gather
from lazynp.ops.movement import broadcast, follow
from lazynp.runtime.evaluate import lock
from lazynp.runtime.flags import tell
from lazynp.runtime.prints import keep_order
from lazynp.runtime.storage import TraceQueue, captured, queue, tells_later, tracing

_PYTHON_SCALARS = frozenset({int, float, complex, bool})

_PLAIN_SUBCLASSES = (watched, np.memmap, pool.Block)
"""Subclasses of NumPy's array that mean nothing else."""


def lazy(x: Any) -> Any:
    """A lazy copy of anything array-like with a numeric dtype: operations on it are recorded, whatever its size.

    Raises TypeError for other dtypes."""
    if isinstance(x, ndarray) and type(x) is ndarray and x._storage is not None:
        return wrap(node_of(x))
    values = to_numpy(x)
    array = np.asarray(values)
    if array.dtype not in LAZY_DTYPES:
        raise TypeError(f"lazynp.lazy: dtype {array.dtype} has no lazy form; numeric dtypes up to float64 and complex128 have")
    copy = wrap(captured(array))
    return as_array(copy) if isinstance(values, np.ndarray) else copy


def is_lazy(x: Any) -> bool:
    """Whether an operation on this operand alone is recorded rather than run."""
    kind = type(x)
    if kind is ndarray:
        storage = x._storage
        if storage is None:
            return x._np.size >= settings.lazy_threshold
        return storage.node is not None or itemcount(x._type.shape) >= settings.lazy_threshold
    return kind in ARRAYS and x.size >= settings.lazy_threshold > 0 and x.dtype in LAZY_DTYPES


def goes_lazy(*operands: Any) -> bool:
    """Whether an operation on these operands is recorded: in a trace, on something pending, or on something large."""
    return (tracing_count.depth > 0 and tracing()) or any(map(is_lazy, operands))


def short_here(operands: tuple[Any, ...]) -> bool:
    """Whether NumPy should compute an operation on these operands at once although they are large: what the user's line did before
    with arrays of their size cost more to record than to compute. What they wait for is computed now."""
    here = queue()
    if not here.short or tracing_count.recording:
        return False
    most, pending = 0, False
    for x in operands:
        kind = type(x)
        if kind is ndarray:
            pending |= x._storage is not None and x._storage.node is not None
            most = max(most, x.size)
        elif kind in ARRAYS:
            most = max(most, x.size)
        elif kind not in _PYTHON_SCALARS and not isinstance(x, np.generic):
            return False
    key = recording_position(2)[1]
    if most > here.short.get(key, -1):
        return False
    if pending:
        here.run(None)
        pending = any(map(is_pending, operands))
    return not pending


def node_of(x: Any) -> Node:
    """The operand as a node. Arrays that others may write to are copied first. Raises NotLazy for dtypes without a lazy form."""
    node = operand(x)
    return node if isinstance(node, Node) else node.node if isinstance(node, Symbolic) else constant(node)


def operand(x: Any) -> Any:
    """The operand as a node, or a Python scalar as it is (its dtype is weak). Raises NotLazy."""
    kind = type(x)
    if kind is ndarray:
        if x._storage is not None:
            return follow(x._storage.value(), x._path)
        return capture(x._np)
    if kind in _PYTHON_SCALARS:
        return x
    if isinstance(x, (Node, Symbolic)):
        return x
    if isinstance(x, Undecided):
        return operand(x.settled())
    if kind is not np.ndarray and isinstance(x, np.ndarray) and not issubclass(kind, _PLAIN_SUBCLASSES):
        raise NotLazy(f"{kind.__name__} is a subclass of NumPy's array: its own methods decide")
    if kind not in ARRAYS and getattr(kind, "__array_ufunc__", None) is not None and not isinstance(x, (np.ndarray, np.generic)):
        raise NotLazy(f"{kind.__name__} has an __array_ufunc__ of its own")
    if (kind is list or kind is tuple) and tracing_count.depth and tracing() and _holds_ours(x):
        return operand(hooks.function(np.array, (x,), {}))
    array = x if kind in ARRAYS else _converted(x)
    if array.dtype not in LAZY_DTYPES:
        raise NotLazy(f"dtype {array.dtype} has no lazy form")
    return constant(array) if array.ndim == 0 else capture(array)


def _holds_ours(values: Any) -> bool:
    """Whether nested lists have an array of ours in them, which in a trace NumPy could not read."""
    waiting = [values]
    while waiting:
        for value in waiting.pop():
            kind = type(value)
            if kind is ndarray or isinstance(value, (Symbolic, Undecided)) or getattr(kind, "is_lazynp_array", False):
                return True
            if kind is list or kind is tuple:
                waiting.append(value)
    return False


class _Overtaken(Exception):
    """Pending work ran while an operation was being recorded: nodes that it has read already may mean memory that was overwritten."""


NO_ARRAY = "object __array__ method not producing an array"
"""What NumPy says where a user's class has an __array__ that makes an array of ours."""


def from_array_method(x: Any) -> Any:
    """An object, or a list of such, whose __array__ makes an array of ours: NumPy's array. Others as they are."""
    if type(x) in (list, tuple):
        return type(x)([from_array_method(v) for v in x])
    if type(x) is ndarray or isinstance(x, (type, np.ndarray, np.generic)) or not hasattr(type(x), "__array__"):
        return x
    made = x.__array__()
    return exported(made) if type(made) is ndarray else x


def called(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What NumPy's function says; once more where NumPy refuses what the __array__ of an argument makes, because it is ours."""
    try:
        return keeping(function, *args, **kwargs)
    except ValueError as error:
        if NO_ARRAY not in str(error):
            raise
        return function(*map(from_array_method, args), **{k: from_array_method(v) for k, v in kwargs.items()})


def _converted(x: Any) -> np.ndarray:
    """A list, or another package's array, as NumPy's. There may be pending arrays in it, which are computed."""
    runs = queue().runs
    try:
        array = np.asarray(x)
    except ValueError as error:
        if NO_ARRAY not in str(error):
            raise
        array = np.asarray(from_array_method(x))
    if queue().runs != runs and tracing_count.recording:
        raise _Overtaken
    return array


def capture(array: np.ndarray) -> Node:
    here = queue()
    if isinstance(here, TraceQueue):
        return here.outside_array(array)
    return captured(array)


def recorded(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run an operation that records nodes: marks the user's line on what it makes, and lets the queue see loop boundaries.

    Every function that goes lazy runs its lazy implementation through this; nested calls are part of the outer one."""
    where, key = recording_position(2)
    with lock:  # between reading an operand and keeping the result no other thread may run the queue and overwrite what was read
        if tracing_count.recording:  # only the outermost operation marks the user's position
            return function(*args, **kwargs)
        queue().note(key)
        tracing_count.recording = True
        try:
            try:
                result = function(*args, **kwargs)
            except _Overtaken:  # nothing has been written yet, and nothing in the operands is pending any more
                result = function(*map(from_array_method, args), **kwargs)
        finally:
            tracing_count.recording = False
    given = args[:1] if result is None else result if isinstance(result, tuple) else (result,)  # nothing: an array was written to
    parts = [part for part in given if is_pending(part)]
    if parts and tracing():
        keep_order([part._storage for part in parts])
    made = [node for node in [part._storage.node for part in parts] if node is not None]  # another thread may have run the queue
    for node in made:
        mark(node, where)
    if made and not tracing() and _is_expected_now(made, where):
        for part in parts:
            to_numpy(part)
    return result if tracing() else _with_numbers(result)


def _with_numbers(result: Any) -> Any:
    """What an operation returns, with NumPy's own numbers in it unless the user's program only computes with them."""
    kind = type(result)
    if kind is ndarray:
        return _number(result) if result._scalar else result
    if isinstance(result, tuple) and any(type(part) is ndarray and part._scalar for part in result):
        parts = [_number(part) if type(part) is ndarray and part._scalar else part for part in result]
        return kind(parts) if kind is tuple else kind(*parts)
    return result


def _number(x: Any) -> Any:
    frame = user_frame()
    return x if is_pending(x) and frame is not None and is_only_computed_with(frame) else to_numpy(x)[()]


def _is_expected_now(made: list[Node], where: Where | None) -> bool:
    """Whether the program would catch here an error that depends on values: floating-point errors that it asked for, LinAlgError,
    warnings that it collects."""
    if where is not None and where.errors is not None and where.errors.at_once:
        return True
    frame = sys._getframe(2)
    return is_warning_caught(frame) or (any(map(_raises, made)) and is_caught(frame))


def _raises(node: Node) -> bool:
    """Whether the values of what an operation has just made decide if it raises, in whatever form it hands them out."""
    for _ in range(_FORMS):
        if node.op.raises or len(node.args) != 1:
            break
        node = node.args[0]
    return node.op.raises or (node.op is gather and any(index.args for index in node.args[1:]))  # indices that are not known yet


_FORMS = 4
"""An output of several, conjugated, transposed, of another shape."""


def warn(warning: Warning) -> None:
    """Tell a warning at the user's line. A program that is traced tells it at every call that comes there."""
    where = user_position()
    if not (tracing() and tells_later(warning, where)):
        tell(warning, where)


def warn_of_lost_imaginary(source: np.dtype, target: np.dtype) -> None:
    """NumPy's ComplexWarning."""
    if source.kind == "c" and target.kind in "iuf":
        warn(np.exceptions.ComplexWarning("Casting complex values to real discards the imaginary part"))


def speaks(x: Any, message: str) -> Any:
    """x, whose last operation warns in words of its own (RuntimeWarning, whatever numpy.errstate says) where it is invalid."""
    where, node = user_position(2), node_of(x)
    if where is not None and node.where is None:
        node.where = where._replace(
            errors=ErrorSettings(tuple([(kind, "warn") for kind, _ in SILENT.modes if kind != "under"]), None, message)
        )
    return x


def named(node: Node, function: str) -> Node:
    """A node that warns in the name of a function of NumPy's, not of the ufunc it computes with; what was made for it, in its own."""
    where = user_position(2)
    if where is not None and node.where is None:
        where = where._replace(errors=error_settings())
        node.where = where._replace(function=function)
        for part in node.args:
            mark(part, where)
    return node


def silent(x: Any) -> Any:
    """x, whose new operations do not warn, as in NumPy's implementation."""
    where = user_position(2)
    if where is not None:
        mark(node_of(x), where._replace(errors=SILENT))
    return x


def mark(node: Node, where: Any) -> None:
    """Note the user's line on a node and on what was made for it."""
    stack = [node]
    while stack:
        node = stack.pop()
        if node.where is None or _warns_by_itself(node):
            node.where = where
            stack.extend([a for a in node.args if a.where is None or _warns_by_itself(a)])
        elif isinstance(node.where, Where) and isinstance(where, Where) and _ignores_more(node.where.errors, where.errors):
            node.where = where


def _warns_by_itself(node: Node) -> bool:
    """Whether it is a constant whose conversion warns, or that spread: one node for all places. The last one told counts."""
    while node.op is broadcast:
        node = node.args[0]
    return node.op is ew.cast and node.args[0].op is const


def _ignores_more(known: ErrorSettings | None, new: ErrorSettings | None) -> bool:
    """Whether the user had errors ignored where a node was first recorded that are to be told where it is recorded again."""
    if known is None or known is SILENT or known.message or new is SILENT:
        return False
    modes = dict(DEFAULT_ERRORS.modes if new is None else new.modes)
    return any(mode == "ignore" != modes[kind] for kind, mode in known.modes) or bool(known.unshown)
