"""numpy.fft: one-dimensional transforms are library ops; several axes are done one after the other."""

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from lazynp import ordering
from lazynp.api.dispatch import Unsupported, implements
from lazynp.api.shaping import lifted, roll
from lazynp.array import ndarray
from lazynp.operands import node_of
from lazynp.ops import library


def _one(function: Any, op: Any, default: Any) -> Any:
    def lazy(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Any:
        if out is not None:
            raise Unsupported
        x = node_of(a)
        n = default(x.shape[axis]) if n is None else int(n)
        axis = normalize_axis_index(axis, x.ndim)
        if n < 1:
            raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
        node = op(x, n, axis, norm)
        return ordering.wrap_ordered(node, ordering.order_of(a, "K", node.shape) if isinstance(a, ndarray) else None)

    return implements(function)(lazy)


fft = _one(np.fft.fft, library.fft, lambda n: n)
ifft = _one(np.fft.ifft, library.ifft, lambda n: n)
rfft = _one(np.fft.rfft, library.rfft, lambda n: n)
irfft = _one(np.fft.irfft, library.irfft, lambda n: 2 * (n - 1))


def _lengths(x: Any, s: Any, axes: Any) -> list[tuple[int, Any]]:
    """(axis, length of the transform) pairs. Raises NumPy's IndexError for an axis that is not there."""
    if s is not None and (axes is None or len(s) != len(axes) or any(n is None or int(n) < 0 for n in s)):
        raise Unsupported
    chosen = range(x.ndim) if axes is None else axes
    sizes = np.take(x.shape, chosen)
    return list(zip(chosen, sizes.tolist() if s is None else map(int, s), strict=True))


def _several(function: Any, one: Any, default: Any) -> Any:
    def lazy(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Any:
        if out is not None:
            raise Unsupported
        x = lifted(a)
        for axis, n in reversed(_lengths(x, s, axes)):
            x = one(x, n, axis, norm)
        return x

    return implements(function)(lazy)


fftn = _several(np.fft.fftn, fft, None)
ifftn = _several(np.fft.ifftn, ifft, None)
fft2 = _several(np.fft.fft2, fft, (-2, -1))
ifft2 = _several(np.fft.ifft2, ifft, (-2, -1))


def _several_real(function: Any, inverse: bool, default: Any) -> Any:
    """The last axis by the real transform, the others by the complex one; last for the inverse, first otherwise."""

    def lazy(a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None) -> Any:
        x = lifted(a)
        if out is not None or x.ndim == 0:
            raise Unsupported
        *others, (last, size) = _lengths(x, s, axes)
        size = None if s is None else size
        x = x if inverse else rfft(x, size, last, norm)
        for axis, n in others if inverse else reversed(others):
            x = (ifft if inverse else fft)(x, n, axis, norm)
        return irfft(x, size, last, norm) if inverse else x

    return implements(function)(lazy)


rfftn = _several_real(np.fft.rfftn, False, None)
irfftn = _several_real(np.fft.irfftn, True, None)
rfft2 = _several_real(np.fft.rfft2, False, (-2, -1))
irfft2 = _several_real(np.fft.irfft2, True, (-2, -1))


def _shift(function: Any, amount: Any) -> Any:
    def lazy(x: Any, axes: Any = None) -> Any:
        x = lifted(x)
        wanted = range(x.ndim) if axes is None else (axes,) if np.ndim(axes) == 0 else axes
        return roll(x, tuple([amount(x.shape[axis]) for axis in wanted]), tuple(wanted))

    return implements(function)(lazy)


fftshift = _shift(np.fft.fftshift, lambda n: n // 2)
ifftshift = _shift(np.fft.ifftshift, lambda n: -(n // 2))
