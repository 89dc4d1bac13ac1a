"""Which arguments a transformation is about, and whether they can be differentiated: `argnums` as positions and names."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lazynp.ir.types import LAZY_DTYPES
from lazynp.trace import trees

Function = Callable[..., Any]
Slot = int | str
"""A positional argument by its position, or a keyword argument by its name."""


class Selection(NamedTuple):
    """slots: the arguments meant, in the order asked for; single: argnums was no tuple, so the answer is no tuple either."""

    slots: tuple[Slot, ...]
    single: bool


def select(name: str, f: Function, argnums: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Selection:
    """The arguments that `argnums` means in this call: a position, a parameter's name, or a tuple of them.

    Raises TypeError for an argument that was not given, or given twice."""
    if not callable(f):
        raise TypeError(f"{name} expects a function, got {f!r}")
    given = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    slots = tuple([_slot(name, f, one, argnums, args, kwargs) for one in given])
    if len(set(slots)) != len(slots):
        raise TypeError(f"{name}: argnums={argnums!r} names an argument twice")
    return Selection(slots, not isinstance(argnums, (tuple, list)))


def every_positional(name: str, f: Function, args: tuple[Any, ...]) -> Selection:
    """All positional arguments."""
    if not callable(f):
        raise TypeError(f"{name} expects a function, got {f!r}")
    return Selection(tuple(range(len(args))), False)


def _slot(name: str, f: Function, one: Any, argnums: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Slot:
    if isinstance(one, str):
        if one in kwargs:
            return one
        parameters = _parameters(f)
        if one in parameters and parameters.index(one) < len(args):
            return parameters.index(one)
        raise TypeError(f"{name}: argnums={argnums!r}, but the function was called without an argument {one!r}")
    if isinstance(one, (int, np.integer)) and not isinstance(one, bool):
        if -len(args) <= one < len(args):
            return int(one) % len(args)
        parameters = _parameters(f)
        if 0 <= one < len(parameters) and parameters[one] in kwargs:
            return parameters[one]
    raise TypeError(f"{name}: argnums={argnums!r}, but the function was called with {len(args)} positional argument(s)")


def named(f: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
    """The names of the arguments that were given."""
    return (*_parameters(f)[: len(args)], *kwargs)


def _parameters(f: Function) -> list[str]:
    """The names of the positional parameters; none where Python cannot tell."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def check_differentiable(name: str, f: Function, slot: Slot, argument: Any, number: int, leaf: Any) -> None:
    """Raises TypeError that names the argument's leaf of that number and says what to pass instead."""
    dtype = getattr(leaf, "dtype", None) or np.asarray(leaf).dtype
    if dtype.kind in "fc" and dtype in LAZY_DTYPES:
        return
    place = _spelled(f, slot) + trees.paths(argument)[number]
    label = f"argument {slot} ({place})"
    if dtype.kind in "biu":
        advice = f"float({place})" if isinstance(leaf, (bool, int)) else f"{place}.astype(float)"
        raise TypeError(f"{name}: {label} has dtype {dtype}; derivatives need floating point: pass {advice}")
    raise TypeError(f"{name}: {label} is {type(leaf).__name__} of dtype {dtype}, which has no derivative; leave it out of argnums")


def _spelled(f: Function, slot: Slot) -> str:
    """The parameter's name in the function's definition."""
    if isinstance(slot, str):
        return slot
    parameters = _parameters(f)
    return parameters[slot] if slot < len(parameters) else "x"
