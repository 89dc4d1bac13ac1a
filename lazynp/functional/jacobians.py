"""`jacobian`, `jacrev`, `jacfwd`, `hessian`: a derivative along every direction at once, by batching one derivative into one program.

Shapes are JAX's: each leaf of the result is replaced by a tree like the argument, whose leaves have the shape
(*result's, *argument's). For complex numbers the entries follow `grad`: by a complex argument a real result has the gradient
dL/dx + i dL/dy, a complex result of a real argument its derivative; complex by complex needs holomorphic=True and gives f'.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lazynp.functional.arguments import select
from lazynp.functional.gradients import check_holomorphic
from lazynp.functional.remembered import finish
from lazynp.functional.run import Held, Run, output_node
from lazynp.functional.whole import Derivative
from lazynp.ir.node import Node, constant, new_input, substitute
from lazynp.ir.types import itemcount
from lazynp.ops import elementwise as ew
from lazynp.ops.batching import spread
from lazynp.ops.indexing import positions
from lazynp.ops.movement import permute, reshape
from lazynp.trace import trees
from lazynp.transform.batch import batch

Function = Callable[..., Any]


def jacrev(f: Function, argnums: Any = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """The function that returns all partial derivatives of f's results by its argument(s) `argnums`, one pullback per result, batched.

    argnums, has_aux, holomorphic: as for `grad`. Raises TypeError for integers and for complex results of complex arguments
    without holomorphic=True."""
    return _jacobian(jacrev, f, argnums, has_aux, holomorphic, lambda inputs, outputs: False)


def jacfwd(f: Function, argnums: Any = 0, has_aux: bool = False, holomorphic: bool = False) -> Function:
    """`jacrev` in forward mode: one directional derivative per element of the argument, batched."""
    return _jacobian(jacfwd, f, argnums, has_aux, holomorphic, lambda inputs, outputs: True)


def jacobian(f: Function, argnums: Any = 0, has_aux: bool = False, holomorphic: bool = False, argnum: Any = None) -> Function:
    """`jacfwd` where the argument has fewer elements than the result, else `jacrev`."""
    argnums = argnums if argnum is None else argnum
    return _jacobian(jacobian, f, argnums, has_aux, holomorphic, lambda inputs, outputs: _count(inputs) < _count(outputs))


def hessian(f: Function, argnums: Any = 0, has_aux: bool = False, holomorphic: bool = False, argnum: Any = None) -> Function:
    """The function that returns all second derivatives of f's results: forward over reverse."""
    argnums = argnums if argnum is None else argnum
    return jacfwd(jacrev(f, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


def _count(nodes: Sequence[Node]) -> int:
    return sum([itemcount(node.shape) for node in nodes])


def _jacobian(
    transformation: Function, f: Function, argnums: Any, has_aux: bool, holomorphic: bool, forward: Callable[..., bool]
) -> Function:
    name = f"lazynp.{transformation.__name__}"

    def derivative(*args: Any, **kwargs: Any) -> Any:
        run = Run(name, f, select(name, f, argnums, args, kwargs), args, kwargs)
        result, aux = run.result, None
        if has_aux:
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(f"{name}(has_aux=True): the function must return (result, aux), got {type(result).__name__}")
            result, aux = result
        leaves, structure = trees.flatten(result)
        nodes = [_differentiable(name, output_node(name, leaf)) for leaf in leaves]
        if holomorphic:
            check_holomorphic(name, run.variables, nodes)
        ahead = forward(run.variables, nodes)

        def every_direction() -> Any:
            rows = (_columns if ahead else _rows)(name, run, nodes, holomorphic)
            return trees.unflatten(structure, [run.as_selected([Held(entry) for entry in row]) for row in rows])

        aux, full = finish(run, ("jacobian", ahead, holomorphic, structure, run.form), aux, nodes, every_direction)
        return (full, aux) if has_aux else full

    return Derivative(f, derivative, transformation, f, argnums, has_aux, holomorphic)


def _differentiable(name: str, node: Node) -> Node:
    if node.dtype.kind not in "fc":
        raise TypeError(f"{name}: a result has dtype {node.dtype}; derivatives need floating point: return it as aux (has_aux=True)")
    return node


def _check_complex(name: str, node: Node, variable: Node, holomorphic: bool) -> None:
    if node.dtype.kind == variable.dtype.kind == "c" and not holomorphic:
        raise TypeError(
            f"{name}: a complex result of a complex argument has no single complex derivative; pass holomorphic=True if the function is "
            "complex differentiable, or differentiate its real and imaginary parts"
        )


# --- reverse: one row per element of a result ------------------------------------------------------------------------


def _rows(name: str, run: Run, nodes: Sequence[Node], holomorphic: bool) -> list[list[Node]]:
    """For each result the derivatives by each variable: (*result's shape, *variable's shape)."""
    return [_row(name, run, node, holomorphic) for node in nodes]


def _row(name: str, run: Run, node: Node, holomorphic: bool) -> list[Node]:
    for variable in run.variables:
        _check_complex(name, node, variable, holomorphic)
    real = _pulled(run, node, 1)
    if node.dtype.kind != "c":
        return real
    if holomorphic:
        return [ew.conjugate(g) for g in real]
    return [ew.make_complex(g, i) for g, i in zip(real, _pulled(run, node, 1j), strict=True)]


def _pulled(run: Run, node: Node, unit: complex) -> list[Node]:
    """The pullbacks of all basis cotangents, times the unit."""
    ct = new_input(node.type)
    found = run.cotangents([node], [ct])
    shapes = [(*node.shape, *v.shape) for v in run.variables]
    return [reshape(g, shape) for g, shape in zip(_for_all(found, ct, unit), shapes, strict=True)]


# --- forward: one column per element of a variable -------------------------------------------------------------------


def _columns(name: str, run: Run, nodes: Sequence[Node], holomorphic: bool) -> list[list[Node]]:
    columns = [_column(name, run, number, nodes, holomorphic) for number in range(len(run.variables))]
    return [[column[k] for column in columns] for k in range(len(nodes))]


def _column(name: str, run: Run, number: int, nodes: Sequence[Node], holomorphic: bool) -> list[Node]:
    """The derivatives of each result by one variable."""
    variable = run.variables[number]
    for node in nodes:
        _check_complex(name, node, variable, holomorphic)
    real = _pushed(run, number, nodes, 1)
    if variable.dtype.kind != "c" or holomorphic:
        return real
    return [ew.make_complex(t, i) for t, i in zip(real, _pushed(run, number, nodes, 1j), strict=True)]


def _pushed(run: Run, number: int, nodes: Sequence[Node], unit: complex) -> list[Node]:
    """The results' derivatives along all basis tangents of one variable, times the unit."""
    variable = run.variables[number]
    tangent = new_input(variable.type)
    found = run.tangents(nodes, [tangent if k == number else None for k in range(len(run.variables))])
    rank = variable.ndim
    out = []
    for node, t in zip(nodes, _for_all(found, tangent, unit), strict=True):
        t = ew.as_node(t, _entry_dtype(node, variable))
        shaped = reshape(t, (*variable.shape, *node.shape))
        out.append(permute(shaped, (*range(rank, shaped.ndim), *range(rank))))
    return out


def _entry_dtype(node: Node, variable: Node) -> np.dtype:
    """The precision of the variable, complex where the result is."""
    precision = np.empty(0, variable.dtype).real.dtype
    return np.result_type(precision, np.complex64) if node.dtype.kind == "c" else precision


def _for_all(nodes: Sequence[Node], variable: Node, unit: complex) -> list[Node]:
    """The nodes, linear in the variable, for every basis vector in its place: (number of elements, *shape) each."""
    size = itemcount(variable.shape)
    if size == 1:  # one direction needs no batch
        made = substitute(nodes, {variable: ew.filled(variable.shape, unit, variable.dtype)})
        return [reshape(node, (1, *node.shape)) for node in made]
    basis = reshape(_identity(size, unit, variable.dtype), (size, *variable.shape))
    return [spread(node, every, size) for node, every in zip(nodes, batch(nodes, {variable: basis}, size), strict=True)]


def _identity(size: int, unit: complex, dtype: np.dtype) -> Node:
    """unit times the identity matrix; computed by index, so that kernels need no memory for it."""
    shape = (size, size)
    hit = ew.equal(positions(shape, 0), positions(shape, 1))
    return ew.where(hit, constant(unit, dtype), constant(0, dtype))
