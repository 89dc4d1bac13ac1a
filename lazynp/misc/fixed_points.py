"""`fixed_point` with autograd's signature."""

from collections.abc import Callable
from typing import Any

from lazynp.functional.implicit import custom_root


def fixed_point(f: Callable[[Any], Callable[[Any], Any]], a: Any, x0: Any, distance: Callable[[Any, Any], Any], tol: float) -> Any:
    """x = f(a)(x), iterated from x0 until distance(x, previous x) <= tol; differentiated by a, by the same iteration."""

    def iterate(step: Callable[[Any], Any], x: Any) -> Any:
        fresh = step(x)
        while distance(fresh, x) > tol:
            fresh, x = step(fresh), fresh
        return fresh

    def solve(g: Callable[[Any], Any], y: Any) -> Any:
        return iterate(lambda u: u + y - g(u), y)

    return custom_root(lambda x: x - f(a)(x), x0, lambda _, x: iterate(f(a), x), solve)
