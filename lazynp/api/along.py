"""`numpy.apply_along_axis` in traces: a loop over the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.api.creation import asarray, zeros
from lazynp.api.dispatch import implements
from lazynp.api.shaping import moveaxis, transpose
from lazynp.ir.types import NotLazy
from lazynp.runtime.storage import tracing


class Hooks:
    """What lazynp.scan is asked for: a loop, and a function with its own loops captured."""

    loop: Callable[..., Any]
    captured: Callable[[Any], Any]


hooks = Hooks()


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """As NumPy's: results after the first one are cast to its dtype. Where nothing is traced, NumPy calls the function as well."""
    if not tracing():
        raise NotLazy
    arr = asarray(arr)
    axis = np.lib.array_utils.normalize_axis_index(axis, arr.ndim)
    rows = moveaxis(arr, axis, -1)
    sizes = rows.shape[:-1]
    if 0 in sizes:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    function = hooks.captured(func1d)
    strides = [int(np.prod(sizes[k + 1 :])) for k in range(len(sizes))]

    def row(turn: Any) -> tuple[tuple[Any, ...], Any]:
        place = tuple([turn // s % n for s, n in zip(strides, sizes, strict=True)]) if len(sizes) != 1 else (turn,)
        return place, asarray(function(rows[(*place, Ellipsis)], *args, **kwargs))

    place, first = row(0)
    found = zeros((*sizes, *first.shape), first.dtype)
    found[place] = first

    def write(turn: Any, nothing: None) -> None:
        place, result = row(turn)
        found[place] = result

    hooks.loop(1, int(np.prod(sizes)), write, None)
    outer = len(sizes)
    return transpose(found, (*range(axis), *range(outer, found.ndim), *range(axis, outer)))
