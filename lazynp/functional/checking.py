"""`check_grads`: derivatives against differences of values and against each other, along random directions."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.array import to_numpy
from lazynp.functional.gradients import jvp, vjp
from lazynp.trace import trees

Function = Callable[..., Any]


def check_grads(
    f: Function,
    args: Sequence[Any] | None = None,
    order: int = 2,
    modes: Sequence[str] | str = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    identity: float | None = None,
) -> Any:
    """Check all derivatives of f at args (pytrees) up to an order; raises AssertionError that says which one is wrong.

    fwd: the directional derivative along a random direction against central differences. rev: the inner-product identity
    <ct, J t> == <vjp(ct), t>. Order 2 checks the derivatives of those derivatives in the same ways. Leaves that are not floating point
    are held fixed. Tolerances follow the lowest precision among the arguments; identity: that of rev where both
    modes are no more exact than a solver. Without args: the function of them, as in
    HIPS/autograd: check_grads(f, modes=["rev"])(x)."""
    if args is None:
        return lambda *given: check_grads(f, given, order, modes, atol, rtol, eps, identity)
    modes = (modes,) if isinstance(modes, str) else tuple(modes)
    if not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f"lazynp.testing.check_grads: modes are 'fwd' and 'rev', got {modes!r}")
    function, values = _of_floating_leaves(f, tuple(args))
    if not values:
        raise TypeError("lazynp.testing.check_grads: no argument is floating point")
    check = _Check(modes, _precision(values), atol, rtol, eps, identity)
    check.levels(function, values, order, "f")
    return None


def _of_floating_leaves(f: Function, args: tuple[Any, ...]) -> tuple[Function, list[np.ndarray]]:
    """f as a function of a flat list of its floating leaves, which returns the flat list of its floating results."""
    leaves, structure = trees.flatten(args)
    places = [i for i, leaf in enumerate(leaves) if np.asarray(leaf).dtype.kind in "fc"]

    def flat(values: list[Any]) -> list[Any]:
        full = list(leaves)
        for place, value in zip(places, values, strict=True):
            full[place] = value
        return [out for out in trees.flatten(f(*trees.unflatten(structure, full)))[0] if _dtype(out).kind in "fc"]

    return flat, [np.asarray(to_numpy(leaves[i])) for i in places]


def _dtype(value: Any) -> np.dtype:
    return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype


def _precision(values: Sequence[np.ndarray]) -> float:
    return float(max([np.finfo(v.dtype).eps for v in values]))


class _Check:
    """The tolerances of one check, and its steps. seed: every check draws the same directions."""

    def __init__(
        self, modes: Sequence[str], unit: float, atol: float | None, rtol: float | None, eps: float | None, identity: float | None
    ) -> None:
        self.modes = modes
        self.step = eps or unit ** (1 / 3)
        loose = 30 * unit ** (2 / 3)  # the error of a central difference with the best step, with room for the third derivative
        self.atol = loose if atol is None else atol
        self.rtol = loose if rtol is None else rtol
        self.exact = 1e4 * unit if identity is None else identity
        self.rng = np.random.default_rng(0)

    def levels(self, f: Function, values: list[np.ndarray], order: int, name: str) -> None:
        """Check f, then its derivatives in each mode as functions of the same values."""
        if order == 0:
            return
        direction = self.like(values)
        outputs, pullback = vjp(f, values)
        _, moved = jvp(f, (values,), (direction,))
        if not outputs:
            return
        cotangent = self.like([np.asarray(o) for o in outputs])
        if "fwd" in self.modes:
            self.close(_inner(cotangent, moved), self.difference(f, values, direction, cotangent), f"the forward derivative of {name}")
        if "rev" in self.modes:
            back = _inner(pullback(cotangent)[0], direction)
            self.close(back, self.difference(f, values, direction, cotangent), f"the reverse derivative of {name}")
            self.close(back, _inner(cotangent, moved), f"reverse against forward derivative of {name}", self.exact, self.exact)
        if order > 1:
            if "fwd" in self.modes:
                self.levels(lambda v: jvp(f, (v,), (direction,))[1], values, order - 1, f"jvp({name})")
            if "rev" in self.modes:
                self.levels(lambda v: vjp(f, v)[1](cotangent)[0], values, order - 1, f"vjp({name})")

    def like(self, values: Sequence[Any]) -> list[np.ndarray]:
        """A random direction of the same types; about unit length, so that a step along it is a step."""
        size = max(1.0, sum([v.size for v in values]) ** 0.5)
        return [self.one_like(v) / np.asarray(size, v.real.dtype) for v in values]

    def one_like(self, value: np.ndarray) -> np.ndarray:
        drawn = self.rng.standard_normal(value.shape)
        if value.dtype.kind == "c":
            drawn = drawn + 1j * self.rng.standard_normal(value.shape)
        return np.asarray(drawn, value.dtype)

    def difference(self, f: Function, values: list[np.ndarray], direction: list[np.ndarray], cotangent: list[np.ndarray]) -> float:
        """<ct, f(x + h t) - f(x - h t)> / 2h."""
        ends = [f([np.asarray(v + sign * self.step * t, v.dtype) for v, t in zip(values, direction, strict=True)]) for sign in (1, -1)]
        gaps = [np.asarray(a) - np.asarray(b) for a, b in zip(*ends, strict=True)]
        return _inner(cotangent, gaps) / (2 * self.step)

    def close(self, found: float, wanted: float, what: str, atol: float | None = None, rtol: float | None = None) -> None:
        atol, rtol = self.atol if atol is None else atol, self.rtol if rtol is None else rtol
        if not abs(found - wanted) <= atol + rtol * abs(wanted):
            raise AssertionError(f"lazynp.testing.check_grads: {what} is {found!r} along a random direction, expected {wanted!r}")


def _inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    """Re(sum(conj(a) * b)) in double precision."""
    wide = [(np.asarray(x).astype(np.complex128), np.asarray(y).astype(np.complex128)) for x, y in zip(a, b, strict=True)]
    return float(sum([np.sum(np.conj(x) * y).real for x, y in wide]))
