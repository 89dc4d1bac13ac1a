"""What the Array API standard (2025.12) asks of a namespace beyond NumPy's: keywords that NumPy's functions do not take.

Called as in NumPy, these are NumPy's functions; their signatures are NumPy's."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from lazynp.api.dispatch import HANDLERS, synced

VERSION = "2025.12"


def _extends(function: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register `with_keywords(public, ...)` for calls that name a keyword of the standard's; all others are the public function's."""

    def register(with_keywords: Callable[..., Any]) -> Callable[..., Any]:
        public = HANDLERS.get(function) or synced(function)
        names = frozenset(with_keywords.__kwdefaults__)

        @functools.wraps(public)
        def call(*args: Any, **kwargs: Any) -> Any:
            if kwargs and not names.isdisjoint(kwargs):
                return with_keywords(public, *args, **kwargs)
            return public(*args, **kwargs)

        HANDLERS[function] = call
        return call

    return register


@_extends(np.sort)
def sort(public: Any, x: Any, /, axis: int = -1, *, descending: bool = False, **options: Any) -> Any:
    """Equal elements look the same: from the last to the first."""
    found = public(x, axis=axis, **options)
    return HANDLERS[np.flip](found, axis) if descending else found


@_extends(np.argsort)
def argsort(public: Any, x: Any, /, axis: int = -1, *, descending: bool = False, **options: Any) -> Any:
    """Stable also in descending order: equal elements keep their order, so the reversed array is sorted and read backwards."""
    if not descending:
        return public(x, axis=axis, **options)
    flip = HANDLERS[np.flip]
    backwards = public(flip(x, axis), axis=axis, stable=options.pop("stable", True), **options)
    return (x.shape[axis] - 1) - flip(backwards, axis)


def _frequencies(function: Any) -> None:
    @_extends(function)
    def frequencies(public: Any, n: int, /, d: float = 1.0, *, dtype: Any = None, **options: Any) -> Any:
        found = public(n, d, **options)
        return found if dtype is None else HANDLERS[np.astype](found, dtype)


_frequencies(np.fft.fftfreq)
_frequencies(np.fft.rfftfreq)
