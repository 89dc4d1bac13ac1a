"""scipy.signal: convolutions as contractions of sliding windows. Everything else goes through SciPy."""

import math
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from lazynp.api.dispatch import Unsupported, any_lazy, implements, offered
from lazynp.api.shaping import flip, lifted
from lazynp.array import to_numpy, wrap
from lazynp.ir.node import Node
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.contraction import contract
from lazynp.ops.movement import pad, slice_, window
from lazynp.runtime.storage import tracing

Axes = tuple[int, ...]
_MODES = ("full", "same", "valid")


class Operand(NamedTuple):
    """One factor of a convolution. axes: those along which it slides; dotted: those whose products are summed in step with the other's."""

    x: Node
    axes: Axes
    dotted: Axes

    @property
    def sizes(self) -> tuple[Any, ...]:
        return tuple([self.x.shape[axis] for axis in self.axes])


def signal(name: str) -> Any:
    """lazynp's function for a public name of scipy.signal. Raises AttributeError for a name that SciPy does not have."""
    original = getattr(import_module("scipy.signal"), name)
    if name == "convolve":
        return _with_axes(implements(original)(_convolve))
    return offered(original, {"correlate": _correlate}.get(name))


def _with_axes(plain: Callable[..., Any]) -> Callable[..., Any]:
    """SciPy's function, and HIPS/autograd's form of it: `axes` and `dot_axes` choose axes of each operand."""

    def convolve(in1: Any, in2: Any, *rest: Any, **options: Any) -> Any:
        """SciPy's convolve(in1, in2, mode="full", method="auto"), and convolve(in1, in2, axes=None, dot_axes=((), ()), mode="full"):

        axes: pairs of axes along which the operands slide over each other, (those of in1, those of in2); None: all. dot_axes: pairs
        of axes that are multiplied and summed. The result has the axes of in1 that are in neither, those of in2, then the sliding ones."""
        autograds = bool(rest) and not isinstance(rest[0], str)
        if not autograds and not {"axes", "dot_axes"} & set(options):
            return plain(in1, in2, *rest, **options)
        options |= zip(("axes", "dot_axes", "mode") if autograds else ("mode",), rest, strict=False)
        result = _along_axes(in1, in2, **options)
        return result if tracing() or any_lazy((in1, in2), {}) else to_numpy(result)

    return convolve


def _along_axes(in1: Any, in2: Any, axes: Any = None, dot_axes: Any = ((), ()), mode: str = "full") -> Any:
    if mode not in _MODES:
        raise ValueError(f"convolve: mode {mode!r}; it is one of {', '.join(_MODES)}")
    a, b = lifted(in1), lifted(in2)
    if axes is None:
        axes = (range(a.ndim), range(a.ndim))
    pair = [
        Operand(node_of(x), _normalized(along, x.ndim), _normalized(dotted, x.ndim))
        for x, along, dotted in zip((a, b), axes, dot_axes, strict=True)
    ]
    return wrap(convolved(*pair, mode))


def _normalized(axes: Sequence[int], ndim: int) -> Axes:
    return tuple([normalize_axis_index(axis, ndim) for axis in axes])


def _convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Directly, whatever the method: its choice is one of speed."""
    a, b = lifted(in1), lifted(in2)
    if a.ndim != b.ndim:
        raise ValueError("volume and kernel should have the same dimensionality")
    if mode not in _MODES or method not in ("auto", "direct", "fft"):
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full', acceptable method flags are 'auto', 'direct', or 'fft'.")
    if not a.size or not b.size or "b" in (a.dtype.kind, b.dtype.kind):
        raise Unsupported
    axes = tuple(range(a.ndim))
    return wrap(convolved(Operand(node_of(a), axes, ()), Operand(node_of(b), axes, ()), mode))


def _correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    a, b = lifted(in1), lifted(in2)
    if mode == "valid" and a.ndim == b.ndim and any(m > n for n, m in zip(a.shape, b.shape, strict=True)):
        return flip(_convolve(b, flip(a).conj(), mode, method)).conj()
    return _convolve(a, flip(b).conj(), mode, method)


def convolved(a: Operand, b: Operand, mode: str) -> Node:
    """The convolution along pairs of axes. Raises ValueError where "valid" has no operand that contains the other."""
    sizes = list(zip(a.sizes, b.sizes, strict=True))
    if mode == "valid" and not (all(n >= m for n, m in sizes) or all(n <= m for n, m in sizes)):
        raise ValueError("For 'valid' mode, one must be at least as large as the other in every dimension")
    swapped = math.prod(b.sizes) > math.prod(a.sizes)
    wide, kernel = (b, a) if swapped else (a, b)
    if mode != "valid":
        wide = wide._replace(x=_surrounded(wide.x, dict(zip(wide.axes, [m - 1 for m in kernel.sizes], strict=True))))
    result = _slid(wide, kernel, swapped)
    if mode != "same":
        return result
    lead = result.ndim - len(sizes)
    starts = (*[0] * lead, *[(m - 1) // 2 for _, m in sizes])
    return slice_(result, starts, (1,) * result.ndim, (*result.shape[:lead], *a.sizes))


def _surrounded(x: Node, widths: dict[int, int]) -> Node:
    """x between zeros of these widths along axes."""
    starts = tuple([widths.get(axis, 0) for axis in range(x.ndim)])
    shape = tuple([n + 2 * width for n, width in zip(x.shape, starts, strict=True)])
    return pad(x, starts=starts, steps=(1,) * x.ndim, out_shape=shape)


def _slid(wide: Operand, kernel: Operand, swapped: bool) -> Node:
    """The kernel, backwards, over every window. Axes of the result: free ones of the first operand (which is the kernel where the two
    are swapped), free ones of the second, positions."""
    dtype = ew.loop_dtypes(np.multiply, (wide.x.dtype, kernel.x.dtype))[0]
    windows = ew.as_node(wide.x, dtype)
    for axis, size in zip(wide.axes, kernel.sizes, strict=True):
        windows = window(windows, axis=axis, size=size)
    free = [[axis for axis in range(o.x.ndim) if axis not in (*o.axes, *o.dotted)] for o in (wide, kernel)]
    label = iter(range(2 * windows.ndim + kernel.x.ndim))
    inside, dotted = [next(label) for _ in kernel.axes], [next(label) for _ in kernel.dotted]
    positions, own, others = [next(label) for _ in kernel.axes], [next(label) for _ in free[0]], [next(label) for _ in free[1]]
    xs = (*_ordered((wide.axes, positions), (wide.dotted, dotted), (free[0], own)), *inside)
    ys = _ordered((kernel.axes, inside), (kernel.dotted, dotted), (free[1], others))
    out = (*others, *own, *positions) if swapped else (*own, *others, *positions)
    return contract(windows, _reversed(ew.as_node(kernel.x, dtype), kernel.axes), xs, ys, out)


def _ordered(*groups: tuple[Sequence[int], Sequence[int]]) -> tuple[int, ...]:
    """The labels of an operand in the order of its axes; groups: (axes, their labels)."""
    of = {axis: label for axes, labels in groups for axis, label in zip(axes, labels, strict=True)}
    return tuple([of[axis] for axis in sorted(of)])


def _reversed(x: Node, axes: Axes) -> Node:
    starts = tuple([n - 1 if axis in axes else 0 for axis, n in enumerate(x.shape)])
    return slice_(x, starts, tuple([-1 if axis in axes else 1 for axis in range(x.ndim)]), x.shape)
