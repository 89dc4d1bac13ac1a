"""Derivatives along one direction: `grad`, `value_and_grad`, `elementwise_grad`, `vjp`, `jvp`, `linearize`, `hvp`.

Over pytrees, of any order, through jit, views and in-place writes. The gradient of a real loss by a complex argument is
dL/dx + i dL/dy: `p - rate * g` descends; `holomorphic=True` gives f' instead. Conventions at points without a derivative:
see `lazynp.transform.derive`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lazynp.functional.arguments import every_positional, select
from lazynp.functional.linear import Linear
from lazynp.functional.remembered import finish
from lazynp.functional.run import Held, Run, held, output_node, seeds
from lazynp.functional.whole import Derivative
from lazynp.ir.node import Node, constant, new_input
from lazynp.ops import elementwise as ew
from lazynp.ops.movement import reshape
from lazynp.trace import trees
from lazynp.transform.derive import differentiable

Function = Callable[..., Any]


def grad(f: Function, argnums: Any = 0, has_aux: bool = False, holomorphic: bool = False, argnum: Any = None) -> Function:
    """The function that returns the gradient of f's scalar result by its argument(s) `argnums`: pytrees like those arguments.

    argnums: a position, a parameter's name, or a tuple of them (the gradients are then a tuple); argnum: the same.
    has_aux: f returns (scalar, aux), and grad's function (gradient, aux). holomorphic: f is complex differentiable; the result is f'.
    NumPy arguments give NumPy gradients of their dtype. Raises TypeError for an argument that is not floating point, a result that is no
    scalar, argnums out of range."""
    argnums = argnums if argnum is None else argnum

    def gradient(*args: Any, **kwargs: Any) -> Any:
        _, aux, gradients = _value_and_gradients("lazynp.grad", f, argnums, has_aux, holomorphic, args, kwargs)
        return (gradients, aux) if has_aux else gradients

    return Derivative(f, gradient, grad, f, argnums, has_aux, holomorphic)


def value_and_grad(f: Function, argnums: Any = 0, has_aux: bool = False, holomorphic: bool = False, argnum: Any = None) -> Function:
    """Like `grad`, but returns (value, gradient), or ((value, aux), gradient) with has_aux: f runs once for both."""
    argnums = argnums if argnum is None else argnum

    def both(*args: Any, **kwargs: Any) -> Any:
        value, aux, gradients = _value_and_gradients("lazynp.value_and_grad", f, argnums, has_aux, holomorphic, args, kwargs)
        return ((value, aux) if has_aux else value), gradients

    return Derivative(f, both, value_and_grad, f, argnums, has_aux, holomorphic)


def elementwise_grad(f: Function, argnums: Any = 0, argnum: Any = None) -> Function:
    """The function that returns the gradient of the sum of f's results: for an elementwise f its derivative at every element.

    The result of f may have any shape, or be a pytree. A complex f is taken as holomorphic."""
    argnums = argnums if argnum is None else argnum

    def gradient(*args: Any, **kwargs: Any) -> Any:
        run = Run("lazynp.elementwise_grad", f, select("lazynp.elementwise_grad", f, argnums, args, kwargs), args, kwargs)
        nodes = run.output_nodes()[0]

        def gradients() -> Any:
            ones = [ew.filled(node.shape, 1, node.dtype) if differentiable(node.type) else None for node in nodes]
            found = run.cotangents(nodes, ones)
            if any(node.dtype.kind == "c" for node in nodes):
                found = [ew.conjugate(g) if g.dtype.kind == "c" else g for g in found]
            return run.as_selected(held(found))

        return finish(run, ("elementwise", run.form), None, nodes, gradients)[1]

    return Derivative(f, gradient, elementwise_grad, f, argnums)


def hvp(f: Function, argnums: Any = 0) -> Function:
    """The function (*args, vector) -> Hessian of f's scalar result times the vector, a pytree like the argument(s) `argnums`.

    Forward over reverse: about the cost of two gradients; the Hessian is never built. Fits SciPy's `hessp`."""

    def product(*args: Any, **kwargs: Any) -> Any:
        name = "lazynp.hvp"
        if len(args) < 2:
            raise TypeError(f"{name}: call the product as (*arguments of the function, vector)")
        *args, vector = args  # type: ignore[assignment]
        run = Run(name, f, select(name, f, argnums, tuple(args), kwargs), tuple(args), kwargs)
        wanted = run.as_selected(list(run.variables))
        along = seeds(f"{name}: the vector", vector, run.variables, trees.flatten(wanted)[1], "the argument")
        loss = _loss(name, run.result)

        def products() -> Any:
            slope = run.cotangents([loss], [constant(1, loss.dtype)])
            return run.as_selected(held(run.tangents(slope, along)))

        return finish(run, ("product", run.form), None, [loss, *[v for v in along if v is not None]], products)[1]

    return Derivative(f, product, hvp, f, argnums)


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> Any:
    """(f(*primals), pullback): pullback takes a pytree like f's result and returns the tuple of cotangents of the primals.

    has_aux: f returns (result, aux), vjp (result, pullback, aux)."""
    name = "lazynp.vjp"
    run = Run(name, f, every_positional(name, f, primals), primals, {}, keep=True)
    result, aux = _without_aux(name, run.result, has_aux)
    nodes, structure = _nodes(name, result)
    variables = [new_input(node.type) for node in nodes]
    active: list[Node | None] = [v if differentiable(v.type) else None for v in variables]
    linear = Linear(run, variables, run.cotangents(nodes, active))

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given = seeds(f"{name}: the cotangent", cotangent, nodes, structure, "the result")
        return tuple(run.finish(run.like_arguments(held(linear(given)))))

    value, aux = run.finish((result, aux))
    return (value, pullback, aux) if has_aux else (value, pullback)


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """(f(*primals), its directional derivative along the tangents): a pytree like the result. Tangents: a pytree like the primals.

    has_aux: f returns (result, aux), jvp (result, derivative, aux)."""
    name = "lazynp.jvp"
    run = Run(name, f, every_positional(name, f, tuple(primals)), tuple(primals), {})
    along = seeds(f"{name}: the tangents", tuple(tangents), run.variables, trees.flatten(tuple(primals))[1], "the primals")
    result, aux = _without_aux(name, run.result, has_aux)
    nodes, structure = _nodes(name, result)
    change = trees.unflatten(structure, held(run.tangents(nodes, along)))
    value, change, aux = run.finish((result, change, aux))
    return (value, change, aux) if has_aux else (value, change)


def linearize(f: Function, *primals: Any) -> tuple[Any, Function]:
    """(f(*primals), derivative): derivative(*tangents) is what `jvp` gives at the primals; what it needs of f is computed once."""
    name = "lazynp.linearize"
    run = Run(name, f, every_positional(name, f, primals), primals, {}, keep=True)
    nodes, structure = run.output_nodes()
    variables = [new_input(node.type) for node in run.variables]
    linear = Linear(run, variables, run.tangents(nodes, variables))
    wanted = trees.flatten(primals)[1]

    def derivative(*tangents: Any) -> Any:
        given = seeds(f"{name}: the tangents", tangents, run.variables, wanted, "the primals")
        return run.finish(trees.unflatten(structure, held(linear(given))))

    return run.finish(run.result), derivative


def _value_and_gradients(
    name: str, f: Function, argnums: Any, has_aux: bool, holomorphic: bool, args: Any, kwargs: Any
) -> tuple[Any, Any, Any]:
    """(value, aux, gradients in the form argnums asks for)."""
    run = Run(name, f, select(name, f, argnums, args, kwargs), args, kwargs)
    result, aux = run.result, None
    if has_aux:
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(f"{name}(has_aux=True): the function must return (scalar, aux), got {type(result).__name__}")
        result, aux = result
    loss = _loss(name, result, holomorphic)
    if holomorphic:
        check_holomorphic(name, run.variables, [loss])

    def gradients() -> Any:
        found = run.cotangents([loss], [constant(1, loss.dtype)])
        return run.as_selected(held([ew.conjugate(g) for g in found] if holomorphic else found))

    (value, aux), slopes = finish(run, ("gradients", holomorphic, run.form), (Held(loss), aux), [loss], gradients)
    return value, aux, slopes


def check_holomorphic(name: str, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
    """Raises TypeError where something is not complex."""
    for what, nodes in (("argument", inputs), ("result", outputs)):
        for node in nodes:
            if node.dtype.kind != "c":
                raise TypeError(f"{name}(holomorphic=True): the {what} must be complex, got {node.dtype}")


def _nodes(name: str, result: Any) -> tuple[list[Node], Any]:
    leaves, structure = trees.flatten(result)
    return [output_node(name, leaf) for leaf in leaves], structure


def _without_aux(name: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"{name}(has_aux=True): the function must return (result, aux), got {type(result).__name__}")
    return result


def _loss(name: str, result: Any, holomorphic: bool = False) -> Node:
    """The node of a real scalar result (complex if holomorphic); an array of one element is one, as in HIPS/autograd."""
    if isinstance(result, (tuple, list, dict)) or result is None:
        raise TypeError(f"{name}: the function must return a scalar, got {type(result).__name__}; has_aux=True allows (scalar, aux)")
    node = output_node(name, result)
    if node.shape and all(type(n) is int and n == 1 for n in node.shape):
        node = reshape(node, ())
    if node.shape != ():
        raise TypeError(f"{name}: the function must return a scalar, got shape {node.shape}; sum it, or use lazynp.vjp")
    if node.dtype.kind != "f" and not (holomorphic and node.dtype.kind == "c"):
        advice = "take its real part or its absolute value" if node.dtype.kind == "c" else "derivatives need floating point"
        raise TypeError(f"{name}: the function must return a real floating scalar, got {node.dtype}; {advice}")
    return node
