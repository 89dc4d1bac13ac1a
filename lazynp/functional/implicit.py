"""Implicit derivatives: of a root, of the solution of a linear system, of a fixed point, whatever found them.

x(p) with f(x, p) = 0 moves by dx = -(df/dx)^-1 (df/dp) dp (Griewank & Walther 2008, chapter 15): forward mode solves one linear system,
reverse mode one with the transpose. The solver itself is not differentiated; it may loop, branch and look at values. p is whatever f
reads from outside. The solution of the linear system is implicit in turn, so derivatives of any order are those of the solution.
"""

from collections.abc import Callable, Sequence
from operator import sub as subtract
from typing import Any

import numpy as np

from lazynp.array import wrap
from lazynp.functional.regions import Nodes, Region
from lazynp.functional.run import zeros
from lazynp.ir.node import Graph, Node, new_input, substitute
from lazynp.operands import node_of
from lazynp.ops import elementwise as ew
from lazynp.ops.custom import custom
from lazynp.ops.structured import item
from lazynp.runtime.storage import queue
from lazynp.scan import while_loop
from lazynp.trace import trees
from lazynp.transform import derive

Function = Callable[..., Any]
Solver = Callable[[Function, Any], Any]


def custom_root(f: Function, initial_guess: Any, solve: Solver, tangent_solve: Solver, has_aux: bool = False) -> Any:
    """solve(f, initial_guess): x with f(x) = 0, with the derivatives of the root by everything that f reads from outside.

    f: a function of a pytree of floating arrays, with a result like it. solve(f, initial_guess) -> x, or (x, aux) with
    has_aux. tangent_solve(g, y) -> u with g(u) = y for a linear g: the derivative of f at the root, or, for derivatives backwards, its
    transpose. For a scalar `lambda g, y: y / g(1.0)`, for a vector `lambda g, y: solve(jacobian(g)(y), y)`. As jax.lax.custom_root.
    Raises TypeError where f's result is no tree like x."""
    return _root("lazynp.custom_root", f, lambda: solve(f, initial_guess), tangent_solve, tangent_solve, has_aux)


def custom_linear_solve(
    matvec: Function, b: Any, solve: Solver, transpose_solve: Solver | None = None, symmetric: bool = False, has_aux: bool = False
) -> Any:
    """solve(matvec, b): x with matvec(x) = b, with the derivatives of the solution by b and by everything that matvec reads from outside.

    matvec: linear in a pytree of floating arrays like b. transpose_solve(vecmat, y) solves with the transpose, for derivatives backwards;
    None: `solve` does, given the transpose. symmetric: the transpose is matvec itself. As jax.lax.custom_linear_solve."""
    back = solve if transpose_solve is None else transpose_solve
    if symmetric:
        back = lambda vecmat, y: solve(matvec, y)  # noqa: E731

    def residual(x: Any) -> Any:
        return trees.map_leaves(subtract, matvec(x), b)

    return _root("lazynp.custom_linear_solve", residual, lambda: solve(matvec, b), solve, back, has_aux)


def fixed_point(
    f: Function, initial_guess: Any, *args: Any, tol: float | None = None, max_iter: int = 1000, solve: Solver | None = None
) -> Any:
    """x with x = f(x, *args), by iteration from the guess, with the derivatives of the fixed point by args and what f reads from outside.

    x: a pytree of floating arrays. Iterates until no element moves by more than tol * max(1, its size), at most max_iter times;
    tol: by default 16 units of rounding. solve(g, y) -> u with g(u) = y for the linear g = 1 - df/dx (or its transpose); None: by the
    iteration u = y + (1 - g)(u), which converges as fast as f does. The guess has no derivative."""

    def iterate() -> Any:
        return _iterated(lambda x: f(x, *args), initial_guess, tol, max_iter)

    def residual(x: Any) -> Any:
        return trees.map_leaves(subtract, x, f(x, *args))

    def by_iteration(g: Function, y: Any) -> Any:
        def step(u: Any) -> Any:
            return trees.map_leaves(lambda a, b, c: a + b - c, u, y, g(u))

        return _iterated(step, y, tol, max_iter)

    solver = solve or by_iteration
    return _root("lazynp.fixed_point", residual, iterate, solver, solver, False)


def _iterated(step: Function, start: Any, tol: float | None, limit: int) -> Any:
    """step applied until it changes nothing."""
    start = trees.map_leaves(lambda leaf: leaf if hasattr(leaf, "dtype") else np.asarray(leaf, float)[()], start)

    def moves(state: Any) -> Any:
        return state[1]

    def turn(state: Any) -> Any:
        x = state[0]
        fresh = trees.map_leaves(lambda old, new: new.astype(old.dtype), x, step(x))
        found = [_moved(a, b, tol) for a, b in zip(trees.flatten(x)[0], trees.flatten(fresh)[0], strict=True)]
        moving = found[0]
        for other in found[1:]:
            moving = moving | other
        return fresh, moving

    return while_loop(moves, turn, (start, np.bool_(True)), limit=limit)[0]


def _moved(old: Any, new: Any, tol: float | None) -> Any:
    """Whether some element is still on its way; not where it is NaN."""
    unit = 16 * float(np.finfo(old.dtype).eps) if tol is None else tol
    return (abs(new - old) > unit * np.maximum(1.0, abs(new))).any()


# --- one rule for all ------------------------------------------------------------------------------------------------


def _root(name: str, residual: Function, solve: Callable[[], Any], forward: Solver, backward: Solver, has_aux: bool) -> Any:
    """What solve() returns; inside a derivative as a value that moves with the residual's."""
    if not queue().derives:
        return solve()
    region = Region()
    found = region.run_in(solve)
    region.hand_over(lambda outputs: _constants(region, outputs))
    solution, aux = found if has_aux else (found, None)
    values, structure = _nodes(solution)
    nodes = [ew.stop_gradient(node) for node in values]
    implied = _System(name, residual, nodes, structure, forward, backward).solution(nodes)
    result = trees.unflatten(structure, [wrap(node) for node in implied])
    return (result, aux) if has_aux else result


def _constants(region: Region, outputs: Nodes) -> Nodes:
    """The same values, made of constants for every derivative."""
    floating = [node for node in region.read_by(outputs) if derive.differentiable(node.type)]
    return substitute(outputs, {node: ew.stop_gradient(node) for node in floating})


def _nodes(result: Any) -> tuple[Nodes, Any]:
    leaves, structure = trees.flatten(result)
    return [node_of(leaf) for leaf in leaves], structure


class _System:
    """residual(x) = 0 as a graph of x and of what it reads (parameters): the rule of a `custom` node whose results are x.

    solve, solve_back: (g, y) -> u with g(u) = y for the derivative of the residual by x, and for its transpose."""

    def __init__(self, name: str, residual: Function, like: Sequence[Node], structure: Any, solve: Solver, solve_back: Solver) -> None:
        self.name = name
        self.structure = structure
        self.solve = solve
        self.solve_back = solve_back
        self.latest: Any = None
        self.x = [new_input(node.type) for node in like]
        region = Region()
        outputs, found = region.run_in(lambda: _nodes(residual(self._tree(self.x))))
        if found != structure or [o.type for o in outputs] != [n.type for n in like]:
            raise TypeError(f"{name}: the function must return a tree like its argument, {structure} of {[n.type for n in like]}")
        own = set(self.x)
        self.parameters = [node for node in region.read_by(outputs) if node not in own]
        self.stand_ins = [new_input(node.type) for node in self.parameters]
        self.outputs = substitute(outputs, dict(zip(self.parameters, self.stand_ins, strict=True)))

    def _tree(self, nodes: Sequence[Node]) -> Any:
        return trees.unflatten(self.structure, [wrap(node) for node in nodes])

    def solution(self, values: Sequence[Node]) -> Nodes:
        """The values as what they are: functions of the parameters."""
        leaves = [new_input(node.type) for node in self.parameters]
        body = Graph((*leaves, *self.x), tuple(self.x))
        made = custom.make((*self.parameters, *values), body=body, rule=self)
        return [item(made, k) for k in range(len(values))]

    # --- what derive asks

    def jvp(self, tangents: tuple[Node | None, ...], node: Node) -> tuple[Node | None, ...]:
        here = self._places(node)
        moved = derive.pushforward(self.outputs, self.stand_ins, tangents[: len(self.stand_ins)])
        pushed = [zeros(o) if m is None else ew.negative(m) for m, o in zip(moved, self.outputs, strict=True)]
        found = self._solved(self._derivative(here), substitute(pushed, here), self.solve, self.solve_back)
        return tuple(found)

    def vjp_one(self, cts: tuple[Node | None, ...], node: Node, index: int) -> Node | None:
        if self.latest is None or self.latest[0] is not node or self.latest[1] != cts:
            self.latest = (node, cts, self._pulled(cts, node))
        return self.latest[2][index]  # type: ignore[no-any-return]

    def _pulled(self, cts: tuple[Node | None, ...], node: Node) -> list[Node | None]:
        here = self._places(node)
        given = [zeros(x) if ct is None else ct for ct, x in zip(cts, self.x, strict=True)]
        found = self._solved(self._transpose(here), given, self.solve_back, self.solve)
        seeds = [new_input(x.type) for x in self.x]
        pulled = derive.pullback(self.outputs, seeds, self.stand_ins)
        here.update({seed: ew.negative(u) for seed, u in zip(seeds, found, strict=True)})
        return [*[None if p is None else substitute([p], here)[0] for p in pulled], *[None] * len(self.x)]

    def _places(self, node: Node) -> dict[Node, Node]:
        """What the graph's leaves are at a call."""
        places = dict(zip(self.stand_ins, node.args, strict=False))
        places.update({x: item(node, k) for k, x in enumerate(self.x)})
        return places

    def _derivative(self, here: dict[Node, Node]) -> Function:
        tangents = [new_input(x.type) for x in self.x]
        found = derive.pushforward(self.outputs, self.x, tangents)
        return self._linear(tangents, [zeros(x) if t is None else t for t, x in zip(found, self.x, strict=True)], here)

    def _transpose(self, here: dict[Node, Node]) -> Function:
        cotangents = [new_input(x.type) for x in self.x]
        found = derive.pullback(self.outputs, cotangents, self.x)
        return self._linear(cotangents, [zeros(x) if g is None else g for g, x in zip(found, self.x, strict=True)], here)

    def _linear(self, variables: Nodes, outputs: Nodes, here: dict[Node, Node]) -> Function:
        """The outputs as a function of trees in the place of the variables. It may be called inside loops: what it is made of here are
        arrays, which a loop's body takes in from outside."""
        arrays = {leaf: wrap(node) for leaf, node in here.items()}

        def g(u: Any) -> Any:
            leaves = trees.flatten(u)[0]
            places = {leaf: node_of(array) for leaf, array in arrays.items()}
            places.update({v: ew.as_node(node_of(leaf), v.dtype) for leaf, v in zip(leaves, variables, strict=True)})
            return self._tree(substitute(outputs, places))

        return g

    def _solved(self, g: Function, right: Nodes, solve: Solver, solve_back: Solver) -> Nodes:
        """u with g(u) = right: a constant from the solver, which moves with g and the right side."""
        region = Region()
        y = self._tree(right)
        found = region.run_in(solve, g, y)
        region.hand_over(lambda outputs: _constants(region, outputs))
        leaves, structure = trees.flatten(found)
        if structure != self.structure or len(leaves) != len(self.x):
            raise TypeError(f"{self.name}: the solver must return a tree like its right side, {self.structure}")
        values = [ew.stop_gradient(ew.recast(node_of(leaf), x.dtype)) for leaf, x in zip(leaves, self.x, strict=True)]
        residual = lambda u: trees.map_leaves(subtract, g(u), y)  # noqa: E731
        return _System(self.name, residual, values, self.structure, solve, solve_back).solution(values)
