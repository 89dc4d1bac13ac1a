"""Floating-point warnings of fused programs: NumPy's words, the user's line, the error settings of the place that recorded the operation.

A program only knows that something was divided by zero, overflowed or was invalid: it reads the processor's status once per run. If some
operation of its graph does not ignore that, the graph is run again through NumPy, operation by operation, to find out which one it was.
Vectorised comparisons with NaN set the flag for "invalid" without a reason: runs that lead to no warning are followed up ever more rarely.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from threading import get_ident
from types import CodeType
from typing import Any, ClassVar

import numpy as np

from lazynp.backends import base, reference
from lazynp.errors import DEFAULT_ERRORS, ErrorSettings, Where, error_settings
from lazynp.ir.body import bodies_of
from lazynp.ir.canonical import Form
from lazynp.ir.node import Node, toposort
from lazynp.ir.op import Kind, Op
from lazynp.ops import elementwise as ew
from lazynp.ops.printing import printed
from lazynp.ops.structured import CONTROL, cond
from lazynp.runtime.listening import Listener

_BITS = {"divide": base.DIVIDE, "invalid": base.INVALID, "over": base.OVER, "under": base.UNDER}
_PATIENCE = 3
"""After so many runs without a warning only the runs 4, 8, 16, ... in a row are followed up, until the warning filters change."""


Settings = Callable[[Node], ErrorSettings]
"""What numpy.errstate says for a node."""


def as_recorded(node: Node) -> ErrorSettings:
    """The settings of the place that recorded the operation."""
    where = node.where
    return where.errors or DEFAULT_ERRORS if isinstance(where, Where) else DEFAULT_ERRORS


def as_called(traced: ErrorSettings | None) -> Settings:
    """The settings of operations that were recorded once and run now: those that their function did not set are those of its caller.
    traced: the caller's settings when the function was traced."""
    now = error_settings()
    if now == traced:
        return as_recorded
    before, current = traced or DEFAULT_ERRORS, now or DEFAULT_ERRORS

    def settings(node: Node) -> ErrorSettings:
        recorded = as_recorded(node)
        return current if recorded == before else recorded

    return settings


def may_warn() -> bool:
    """Whether anything is told here of divisions by zero or invalid values."""
    modes = dict((error_settings() or DEFAULT_ERRORS).modes)
    return (modes["divide"], modes["invalid"]) != ("ignore", "ignore")


def follow_up(program: base.Program, form: Form, arrays: Sequence[np.ndarray], settings: Settings = as_recorded) -> None:
    """After a run that left flags: issue what NumPy would have issued. arrays: the leaves' memory, as the run left it.

    Raises FloatingPointError, or RuntimeWarning as an exception, where the settings or the filters ask for that."""
    flags = base.raised.pop(get_ident(), 0)
    if not flags & _watched(form, settings):
        return
    if program.filters is not warnings.filters:
        program.filters, program.flagged = warnings.filters, 0
    program.flagged += 1
    if program.flagged > _PATIENCE and program.flagged & (program.flagged - 1) and not any(settings(n).at_once for n in form.order):
        return
    overwritten = {form.leaves[place] for _, place in form.aliases}
    if _find(form, arrays, settings, overwritten) or (overwritten and _guess(form, flags, settings)):
        program.flagged = 0
    base.raised.pop(get_ident(), None)  # what programs of loop bodies have raised once more


def dropped() -> int:
    """The flags that the last run left, forgotten."""
    return base.raised.pop(get_ident(), 0)


def _watched(form: Form, settings: Settings) -> int:
    """The flags that some operation of the graph does not ignore."""
    watched = 0
    for found in {settings(node) for node in form.order if node.args}:
        watched |= sum([_BITS[kind] for kind, mode in found.modes if mode != "ignore"])
    return watched


def _find(form: Form, arrays: Sequence[np.ndarray], settings_of: Settings, overwritten: Set[Node]) -> bool:
    """Run again through NumPy what does not depend on what was overwritten, each operation with its own settings. Returns whether anybody
    was told something, or may have been."""
    known: dict[Node, Any] = {leaf: array for leaf, array in zip(form.leaves, arrays, strict=True) if leaf not in overwritten}
    told = False
    spoken = set()
    halves = _halves_of_divmod(form)

    def hears(node: Node, text: str, around: Node) -> None:
        nonlocal told
        where = _recorded_at(node, around)
        told |= _answer(node, text, settings_of(node if where is node.where else around), where)

    bodies = Listener(hears)
    for node in toposort(form.outputs, stop=lambda n: n in known or n in overwritten):
        if node in known or node in overwritten or any(a not in known for a in node.args):
            continue
        if node.op is printed:
            known[node] = np.int64(0)  # it has been printed
            continue
        if node.op in CONTROL:
            known[node] = bodies.control(node, known)
            continue
        settings = settings_of(node)
        with np.errstate(**dict(settings.modes), call=settings.call), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            known[node] = reference.compute(node, [known[a] for a in node.args], known)
        _Filters.changes += 3  # on entering, by simplefilter, on leaving
        for warning in caught:
            said = settings.message or warning.message
            if node in halves:
                said = str(said).replace(f" in {node.op.name}", " in divmod")
            elif isinstance(node.where, Where) and node.where.function:
                said = str(said).rpartition(" in ")[0] + f" in {node.where.function}"
            elif _is_of_numbers(node):
                said = str(said).replace(f" in {node.op.ufunc.__name__}", f" in {_ufunc_name(node)}")
            place = node.where._replace(errors=None, function=None) if isinstance(node.where, Where) else None
            if (str(said), place) not in spoken:  # an operation and the cast of its result warn once
                spoken.add((str(said), place))
                told |= tell(said, node.where, settings)
        told |= not overwritten and any(mode not in ("ignore", "warn") for _, mode in settings.modes)
    return told


def _recorded_at(node: Node, around: Node) -> Where | None:
    """The position of an operation in a loop or branch: its own where the code there is the loop's. Equal bodies of two functions are one
    graph, which has the positions of one of them."""
    inner, outer = node.where, around.where
    if isinstance(inner, Where) and isinstance(outer, Where) and not _holds(outer.code, inner.code):
        return outer
    return inner if isinstance(inner, Where) else outer


def _holds(code: CodeType, inner: CodeType) -> bool:
    return code is inner or any(_holds(part, inner) for part in code.co_consts if type(part) is CodeType)


def _answer(node: Node, text: str, settings: ErrorSettings, where: Any) -> bool:
    """Do what is to be done where an operation meets a floating-point error. Returns whether somebody is told, or may be. where: the line
    to be named."""
    kind = _KINDS[text]
    mode = dict(settings.modes)[kind]
    message = settings.message or f"{text} encountered in {_ufunc_name(node)}"
    if mode == "raise":
        raise FloatingPointError(message)
    if mode == "call":
        settings.call(text, _NUMBERS[kind])  # type: ignore[misc, operator]
    return tell(message, where, settings) if mode == "warn" else mode != "ignore"


def _halves_of_divmod(form: Form) -> set[Node]:
    """The quotients and remainders of the same operands that one operation recorded: NumPy's warning names divmod, once."""
    found: dict[Any, list[Node]] = {}
    for node in form.order:
        if node.op in (ew.floor_divide, ew.remainder) and node.where is not None:
            found.setdefault((node.args, node.where), []).append(node)
    return {node for pair in found.values() if len(pair) == 2 for node in pair}


def _guess(form: Form, flags: int, settings: Settings) -> bool:
    """The run has overwritten what it read: name an operation that raises such flags by its nature, the last of those whose domain is not
    all numbers, else of the others. Nothing is said of a graph that chooses: the side that is not taken may have raised them, which NumPy
    would not have computed (masked writes), and sqrt(maximum(x, 0)) becomes a choice between 0 and sqrt(x)."""
    told = False
    nodes = list(_with_bodies(form.order))
    if any(n.op in _CHOOSING for n in nodes):
        return told
    for kind, text in _TEXTS.items():
        suspects = [n for n in nodes if flags & _BITS[kind] and _can_raise(n, kind)]
        suspects = [n for n in suspects if n.op.name in PARTIAL] or suspects
        mode = dict(settings(suspects[-1]).modes)[kind] if suspects else "ignore"
        if mode == "ignore":
            continue
        told |= _answer(suspects[-1], text, settings(suspects[-1]), suspects[-1].where)
    return told


def _with_bodies(order: Iterable[Node]) -> Iterator[Node]:
    for node in order:
        for body in bodies_of(node):
            yield from _with_bodies(toposort(body.outputs))
        yield node


_CHOOSING = frozenset({ew.where, ew.maximum, ew.minimum, ew.fmax, ew.fmin, cond})
PARTIAL = frozenset("sqrt log log2 log10 log1p arcsin arccos arccosh arctanh divide remainder fmod floor_divide power reciprocal".split())
_TEXTS = {"divide": "divide by zero", "over": "overflow", "invalid": "invalid value"}
_KINDS = {"divide by zero": "divide", "overflow": "over", "underflow": "under", "invalid value": "invalid"}
_NUMBERS = {"divide": 1, "over": 2, "under": 4, "invalid": 8}
_DIVISIONS = frozenset({"divide", "floor_divide", "remainder", "fmod", "reciprocal", "power", "log", "log2", "log10", "log1p", "arctanh"})


def _computing(node: Node) -> Op:
    """The op that a node computes with: of a scatter the one that combines old and new elements."""
    return node.attributes.get("combine") or node.op


def _ufunc_name(node: Node) -> str:
    """As NumPy says it; of two numbers its operators say so."""
    if isinstance(node.where, Where) and node.where.function:
        return node.where.function
    ufunc = _computing(node).ufunc
    if ufunc is None:
        return {ew.cast: "cast"}.get(node.op) or ("matmul" if node.op.kind is Kind.CONTRACT else "reduce")
    return f"scalar {ufunc.__name__}" if _is_of_numbers(node) else ufunc.__name__


def _is_of_numbers(node: Node) -> bool:
    return node.op.ufunc is not None and node.op.ufunc.__name__ in _OF_NUMBERS and getattr(node.type, "shape", None) == ()


_OF_NUMBERS = frozenset({"add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power"})


def _can_raise(node: Node, kind: str) -> bool:
    kinds = "fc" if kind != "divide" else "fciu"
    op = _computing(node)
    numbers = op.kind in (Kind.ELEMENTWISE, Kind.REDUCE, Kind.ACCUMULATE) and getattr(node.type, "dtype", np.dtype(bool)).kind in kinds
    if not numbers or (op.ufunc is None and op.kind is Kind.ELEMENTWISE):
        return False
    return op.name in _DIVISIONS if kind == "divide" else op.name not in _QUIET


_QUIET = frozenset("maximum minimum fmax fmin absolute negative positive sign where cast copysign floor ceil trunc rint conjugate".split())
_registries: dict[str, dict[Any, Any]] = {}
"""What has been shown, per file of the user's program: "once per line" is the filters' business, not ours."""


class _Filters:
    """How often this module has changed Python's warning filters, and had at the last warning of each file. Every change makes a registry
    worthless, but ours are undone at once."""

    changes = 0
    seen: ClassVar[dict[str, int]] = {}


def tell(message: Any, where: Any, settings: ErrorSettings = DEFAULT_ERRORS) -> bool:
    """Issue a RuntimeWarning for a position of the user's program. Returns whether it was not shown before."""
    filename, line = (where.filename, where.line) if isinstance(where, Where) else ("<lazynp>", 0)
    if not settings.shows(str(message), filename.removesuffix(".py"), line):
        return False
    registry = _registries.setdefault(filename, {})
    key = (str(message), RuntimeWarning, line)
    version = registry["version"] = registry.get("version", 0) + _Filters.changes - _Filters.seen.get(filename, 0)
    _Filters.seen[filename] = _Filters.changes
    before = registry.get(key, False)
    if isinstance(message, Warning):
        warnings.warn_explicit(message, type(message), filename, line, registry=registry)
    else:
        warnings.warn_explicit(message, RuntimeWarning, filename, line, registry=registry)
    return not (before and registry.get("version") == version)  # a new version: the filters have changed, and the registry was emptied
