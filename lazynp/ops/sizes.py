"""Sizes and numbers that are known only at run time: their normal form as polynomials, what is known about their range, and the
Python numbers of a trace that stand for them (`SymInt`, `SymFloat`).

A loop variable is a `dim` leaf. While a body is traced every such leaf has a *hint* (a value it may have, for NumPy's geometry) and
bounds; nothing that depends on a hint may reach the graph.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from lazynp.errors import CaptureError
from lazynp.ir import canonical
from lazynp.ir.node import Node, const, constant, dim, make_node, new_dim, toposort
from lazynp.ir.op import Kind, Op, register
from lazynp.ir.show import size_text
from lazynp.ir.types import ArrayType, Dim, Symbolic
from lazynp.ops import elementwise as ew
from lazynp.ops import turning
from lazynp.ops.elementwise import add, floor_divide, maximum, minimum, multiply, negative, remainder, subtract

Monomial = tuple[Node, ...]
Polynomial = dict[Monomial, int]
"""Products of indivisible nodes (sorted by their text) -> coefficient; () is the constant term. Zero coefficients are left out."""

_MOST_TERMS = 32
_MOST_WORDS = 200
_ARITHMETIC = frozenset({add, subtract, negative, multiply, floor_divide, remainder, minimum, maximum})


def simplify_size(size: Dim) -> Dim:
    """The normal form of a size: an int where it is constant."""
    return size if type(size) is int else size_of(polynomial(size))


def polynomial(size: Dim) -> Polynomial:
    """The normal form as a polynomial over dims, and over what is no polynomial of them."""
    if type(size) is int:
        return _clean({(): size})
    known: dict[Node, Polynomial] = {}
    for node in toposort([size], stop=_indivisible):  # type: ignore[list-item]
        if node.op is size_:
            known[node] = polynomial(node.value)
        else:
            known[node] = {(node,): 1} if _indivisible(node) else _polynomial(node, known)
    return known[size]  # type: ignore[index]


def _indivisible(node: Node) -> bool:
    return node.op is not const and node.op not in _ARITHMETIC


def _polynomial(node: Node, known: dict[Node, Polynomial]) -> Polynomial:
    """The polynomial of a node whose arguments' polynomials are known."""
    if node.op is const:
        return _clean({(): int(node.value.array)})
    parts = [known[a] for a in node.args]
    if node.op is add:
        return _sum(parts[0], parts[1], 1)
    if node.op is subtract:
        return _sum(parts[0], parts[1], -1)
    if node.op is negative:
        return _sum({}, parts[0], -1)
    if node.op is multiply and len(parts[0]) * len(parts[1]) <= _MOST_TERMS:
        return _product(parts[0], parts[1])
    if node.op is floor_divide:
        exact = _quotient(parts[0], parts[1])
        if exact is not None:
            return exact
    return _opaque(node, parts)


def _opaque(node: Node, parts: list[Polynomial]) -> Polynomial:
    """A node that is no polynomial stands for itself, over simplified arguments."""
    sizes = [size_of(p) for p in parts]
    if sizes and all(type(n) is int for n in sizes):
        return _clean({(): int(node.op.numpy(*[constant(n, node.dtype).value.array for n in sizes], **node.attributes))})
    args = [constant(n, a.dtype) if type(n) is int else n for n, a in zip(sizes, node.args, strict=True)]
    return {(make_node(node.op, tuple(args), node.attrs),): 1}  # type: ignore[arg-type]


def _clean(terms: Polynomial) -> Polynomial:
    return {monomial: n for monomial, n in terms.items() if n}


def _sum(first: Polynomial, second: Polynomial, sign: int) -> Polynomial:
    total = dict(first)
    for monomial, n in second.items():
        total[monomial] = total.get(monomial, 0) + sign * n
    return _clean(total)


def _product(first: Polynomial, second: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for one, n in first.items():
        for other, m in second.items():
            monomial = tuple(sorted((*one, *other), key=size_text))
            total[monomial] = total.get(monomial, 0) + n * m
    return _clean(total)


def _quotient(first: Polynomial, second: Polynomial) -> Polynomial | None:
    """The quotient by a constant that divides every coefficient."""
    divisor = second.get((), 0)
    if set(second) != {()} or any(n % divisor for n in first.values()):
        return None
    return {monomial: n // divisor for monomial, n in first.items()}


def size_of(terms: Polynomial) -> Dim:
    """The node of a polynomial: higher degrees first, the constant last."""
    if not terms:
        return 0
    first, *rest = sorted(terms, key=lambda m: (-len(m), [size_text(a) for a in m]))
    total = _term(first, terms[first])
    for monomial in rest:
        term = _term(monomial, abs(terms[monomial]))
        total = total - term if terms[monomial] < 0 else total + term
    return total


def _term(monomial: Monomial, factor: int) -> Any:
    """factor * product: an int where the product is empty."""
    if not monomial:
        return factor
    product = monomial[0]
    for node in monomial[1:]:
        product = product * node
    return product if factor == 1 else product * factor


size_ = register(
    Op(
        name="size",
        kind=Kind.LEAF,
        attrs=("value",),
        dims=frozenset({"value"}),
        infer=lambda value: ArrayType((), np.dtype(np.int64)),
        numpy=lambda value: np.asarray(value, np.int64),
        door=lambda op, value: op.make((), value=value),
    )
)
"""A size as a number: a limit of a loop. Unlike a constant it is a fact that a size-generic program turns into a parameter."""


def size_node(size: Dim) -> Node:
    """A size as a 0-d int64 node."""
    return size if isinstance(size, Node) else size_(size)


canonical.sizes.normal = simplify_size  # type: ignore[assignment]


# --- what is known about loop variables -------------------------------------------------------------------------------

_hints: WeakKeyDictionary[Node, int] = WeakKeyDictionary()
_bounds: WeakKeyDictionary[Node, tuple[Dim | None, Dim | None]] = WeakKeyDictionary()
_DEEPEST = 24


def new_size(hint: int, low: Dim | None = None, high: Dim | None = None) -> Node:
    """A fresh leaf for an integer of a trace; low, high: its least and its greatest value, where known."""
    leaf = new_dim()
    _hints[leaf] = hint
    _bounds[leaf] = low, high
    return leaf


def hint_of(size: Dim) -> int:
    """A value that the size may have. Raises CaptureError for one that is computed from data."""
    if type(size) is int:
        return size
    known: dict[Node, Any] = {}
    for node in toposort([size]):  # type: ignore[list-item]
        if node.op is const:
            known[node] = int(node.value.array)
        elif node.op is size_:
            known[node] = hint_of(node.value)
        elif node.op is dim:
            known[node] = _hints.get(node, 2)
        elif node.args and all(a in known for a in node.args):
            known[node] = node.op.numpy(*[known[a] for a in node.args], **node.attributes)
        else:
            raise CaptureError("a size or a slice bound that is computed from traced values is not known while tracing")
    return int(known[size])  # type: ignore[index]


def hinted(value: Any) -> Any:
    """Shapes, attributes and paths with every size replaced by its hint."""
    if isinstance(value, Node):
        return hint_of(value)
    if isinstance(value, tuple):
        parts = [hinted(v) for v in value]
        return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)  # type: ignore[attr-defined]
    return value


def is_manageable(size: Dim) -> bool:
    """Whether an integer is written down in few words. One that a loop, written out, computes from itself again and again is not: its
    normal form would take forever."""
    if type(size) is int:
        return True
    words: dict[Node, int] = {}
    for node in toposort([size]):  # type: ignore[list-item]
        words[node] = 1 + sum([words[a] for a in node.args])
        if words[node] > _MOST_WORDS:
            return False
    return True


def is_size(node: Node) -> bool:
    """Whether a 0-d integer depends on loop variables and constants only: then it may stand in attributes."""
    return all(n.op in (dim, const, size_) or n.op in _SIZE_OPS for n in toposort([node]))


_SIZE_OPS = frozenset(
    {add, subtract, multiply, negative, floor_divide, remainder, minimum, maximum, ew.where, ew.less, ew.less_equal, ew.cast}
)


def bounds_of(leaf: Node) -> tuple[Dim | None, Dim | None]:
    """The least and the greatest value of a loop variable, where known."""
    return _bounds.get(leaf, (None, None))


def never_negative(size: Dim) -> bool:
    """Whether a size is certainly >= 0, from the bounds of the loop variables."""
    return _never_negative(polynomial(size), _DEEPEST)


def _never_negative(terms: Polynomial, depth: int) -> bool:
    atoms = {atom for monomial in terms for atom in monomial}
    if not atoms:
        return terms.get((), 0) >= 0
    if depth == 0:
        return False
    atom = max(atoms, key=_age)
    linear = {m: n for m, n in terms.items() if atom in m}
    if set(linear) != {(atom,)}:
        return False
    factor = linear[(atom,)]
    rest = {m: n for m, n in terms.items() if atom not in m}

    def holds(bound: Dim) -> bool:
        return _never_negative(_sum(rest, {m: n * factor for m, n in polynomial(bound).items()}, 1), depth - 1)

    return any(all(map(holds, bounds)) for bounds in _limits(atom, factor > 0))


@contextmanager
def in_range(leaf: Node, low: Dim | None, high: Dim | None) -> Iterator[None]:
    """Inside, the bounds of a loop variable of a body that is not being traced are known."""
    before = _bounds.get(leaf)
    _bounds[leaf] = low, high
    try:
        yield
    finally:
        if before is None:
            del _bounds[leaf]
        else:
            _bounds[leaf] = before


def upper_bound(size: Dim, leaf: Node) -> Dim:
    """A size without the loop variable that this one never exceeds. Raises TypeError if none is found."""
    terms = _above(polynomial(size), leaf, _DEEPEST)
    if terms is None:
        raise TypeError(f"lazynp: no bound is known for a size that depends on a loop variable, {size_text(size)}")
    return size_of(terms)


def _above(terms: Polynomial, leaf: Node, depth: int) -> Polynomial | None:
    atoms = [a for a in {atom for m in terms for atom in m} if leaf in toposort([a])]
    if not atoms or depth == 0:
        return None if atoms else terms
    atom = max(atoms, key=_age)
    linear = {m: n for m, n in terms.items() if atom in m}
    if set(linear) != {(atom,)}:
        return None
    factor = linear[(atom,)]
    rest = {m: n for m, n in terms.items() if atom not in m}
    for bounds in _limits(atom, factor < 0):
        found = [_above(_sum(rest, {m: n * factor for m, n in polynomial(b).items()}, 1), leaf, depth - 1) for b in bounds]
        if any(f is None for f in found):
            continue
        sizes = [size_of(f) for f in found]  # type: ignore[arg-type]
        largest = sizes[0]
        for other in sizes[1:]:
            largest = greatest(largest, other)
        return polynomial(largest)
    return None


def _age(atom: Node) -> Any:
    """Inner loop variables first: their bounds may mention outer ones. What is computed of them comes before them."""
    return (1, size_text(atom)) if atom.op is not dim else (0, str(atom.key[-1]) if type(atom.key) is tuple else "")


def _limits(atom: Node, lower: bool) -> list[tuple[Dim, ...]]:
    """Sets of values of which one set bounds the atom from below (or above) by its extreme member."""
    if atom.op is dim:
        bound = bounds_of(atom)[0 if lower else 1]
        return [] if bound is None else [(bound,)]
    if atom.op is minimum or atom.op is maximum:
        either = (atom.op is maximum) == lower
        return [(a,) for a in atom.args] if either else [atom.args]
    if atom.op is ew.where:
        return [atom.args[1:]]
    if atom.op is remainder and atom.args[1].op is const and int(atom.args[1].value.array) > 0:
        return [(0,)] if lower else [(int(atom.args[1].value.array) - 1,)]
    return []


# --- Python numbers of a trace -----------------------------------------------------------------------------------------


class _Hooks:
    """How numbers of a trace meet arrays: set by the floor of arrays. doubt: told a 0-d boolean that, where it is true, says that Python
    would not have computed what the program computes; whether somebody listens; data_size: a size in the place of an integer that is
    computed from data; these two set by jit."""

    ufunc: Callable[..., Any]
    as_array: Callable[[Node], Any]
    doubt: Callable[[Node], bool] = staticmethod(lambda wrong: False)
    data_size: Callable[[Node], Node]


hooks = _Hooks()


def _operation(ufunc: np.ufunc, swapped: bool = False) -> Callable[[Any, Any], Any]:
    def operate(self: Any, other: Any) -> Any:
        if isinstance(other, Node):  # sizes of a graph: only whether they are the same
            return (self.node is other) == (ufunc is np.equal)
        a, b = (other, self) if swapped else (self, other)
        known = _python_result(ufunc, a, b)
        return hooks.ufunc(ufunc, "__call__", (a, b), {}) if known is None else known

    return operate


def _python_result(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """The number that Python's operator gives for two Python numbers; None where another operand decides."""
    kinds = {_kind(x) for x in (a, b)}
    if None in kinds:
        return None
    if ufunc in _COMPARE:
        if kinds <= {int, bool}:
            return _compared(ufunc, a, b)
        return SymBool(_COMPARE[ufunc](*_as_floats(a, b)) if complex not in kinds else _COMPARE[ufunc](_node(a), _node(b)))
    if kinds == {bool} and ufunc in _BITWISE:
        return SymBool(
            _BITWISE[ufunc](a.node if isinstance(a, Symbolic) else constant(a), b.node if isinstance(b, Symbolic) else constant(b))
        )
    if kinds <= {int, bool} and ufunc in _INTEGER:
        _doubt_integer(ufunc, a, b)
        around = _around(a, b) if ufunc is np.remainder else None
        return number(_INTEGER[ufunc](_node(a), _node(b)) if around is None else around)
    if complex in kinds:
        return None
    _doubt_division(ufunc, b)
    result = SymFloat(ew.UFUNCS[ufunc][0](*_as_floats(a, b)))
    if ufunc is np.power:
        hooks.doubt(ew.logical_not(ew.isfinite(result.node)))
    return result


def _around(a: Any, b: Any) -> Node | None:
    """a % b where a is at most once around: a, a + b or a - b. None where nothing tells which."""
    place, length = _node(a), _node(b)
    if not is_manageable(place) or not is_manageable(length):
        return None
    below, above = add(place, length), subtract(multiply(length, constant(2)), add(place, constant(1)))
    if not never_negative(subtract(length, constant(1))) or not never_negative(below) or not never_negative(above):
        return None
    left, inside = never_negative(-place - 1), never_negative(place)
    right, before = never_negative(subtract(place, length)), never_negative(subtract(length, add(place, constant(1))))
    if left or right or (inside and before):
        return below if left else subtract(place, length) if right else place
    for number, known in ((place, inside), (subtract(place, length), before)):
        if not known:
            turning.ask(polynomial(number))
    return None


def _kind(x: Any) -> Any:
    """int, float, bool or complex for a Python number, also one of a trace; None for anything else."""
    if isinstance(x, Symbolic):
        return x.kind
    return type(x) if type(x) in (int, float, bool, complex) else None


def _node(x: Any) -> Node:
    """A Python number as a node; a truth value as an integer."""
    if isinstance(x, Symbolic):
        return ew.as_node(x.node, _INT64) if x.kind is bool else x.node
    return constant(int(x) if type(x) is bool else x)


def _as_floats(*numbers: Any) -> list[Node]:
    return [ew.as_node(_node(x), np.dtype(float)) for x in numbers]


_INT64 = np.dtype(np.int64)
_BITWISE: dict[Any, Any] = {np.bitwise_and: ew.bitwise_and, np.bitwise_or: ew.bitwise_or, np.bitwise_xor: ew.bitwise_xor}
_INTEGER: dict[Any, Any] = {
    np.add: add,
    np.subtract: subtract,
    np.multiply: multiply,
    np.floor_divide: floor_divide,
    np.remainder: remainder,
    np.power: ew.UFUNCS[np.power][0],
    np.left_shift: ew.UFUNCS[np.left_shift][0],
    np.right_shift: ew.UFUNCS[np.right_shift][0],
    **_BITWISE,
}
_GROWS = frozenset({np.add, np.subtract, np.multiply, np.power, np.left_shift})
_MOST = 1 << 62
_LARGE = float(_MOST)
_SMALL = 1 << 32


def _doubt_integer(ufunc: np.ufunc, a: Any, b: Any) -> None:
    """Python's integers have any size and its division by zero is an error."""
    factor = b if type(b) is int else a
    if ufunc is np.multiply and type(factor) is int and factor and not _cannot_grow_far(ufunc, a, b):
        number, most = _node(a if factor is b else b), (_MOST - 1) // abs(factor)
        hooks.doubt(ew.logical_or(ew.greater(number, constant(most, _INT64)), ew.less(number, constant(-most, _INT64))))
    elif ufunc in _GROWS and not _cannot_grow_far(ufunc, a, b):
        power_of_two = ufunc is np.left_shift
        first, second = _as_floats(a, b)
        result = multiply(first, ew.UFUNCS[np.exp2][0](second)) if power_of_two else ew.UFUNCS[ufunc][0](first, second)
        hooks.doubt(ew.logical_not(ew.less(ew.UFUNCS[np.absolute][0](result), constant(_LARGE))))
    if ufunc in (np.power, np.left_shift, np.right_shift) and not (type(b) is int and 0 <= b < 63):
        inside = ew.logical_and(ew.greater_equal(_node(b), constant(0)), ew.less(_node(b), constant(63)))
        hooks.doubt(ew.logical_not(inside))
    _doubt_division(ufunc, b)


def _cannot_grow_far(ufunc: np.ufunc, a: Any, b: Any) -> bool:
    """Whether the result fits 64 bits: sums with small constants, which would take an age to grow out of them, and sums and products of
    loop variables."""
    small = [type(x) is int and abs(x) < _SMALL for x in (a, b)]
    if ufunc in (np.add, np.subtract) and any(small):
        return True
    return ufunc is not np.left_shift and ufunc is not np.power and all(s or _is_bounded(x) for s, x in zip(small, (a, b), strict=True))


def _is_bounded(x: Any) -> bool:
    """Whether a number is made of loop variables with known limits."""
    if not isinstance(x, Symbolic):
        return type(x) is bool
    return is_manageable(x.node) and is_size(x.node) and all(None not in bounds_of(n) for n in toposort([x.node]) if n.op is dim)


def _doubt_division(ufunc: np.ufunc, divisor: Any) -> None:
    if ufunc in (np.true_divide, np.floor_divide, np.remainder):
        if not isinstance(divisor, Symbolic):
            if not divisor:
                raise ZeroDivisionError("division by zero")
        elif not _is_never_zero(divisor):
            hooks.doubt(ew.equal(_node(divisor), constant(0, _node(divisor).dtype)))


def doubt_empty(size: Dim) -> None:
    """Of no elements there is no extremum: NumPy raises an error."""
    if isinstance(size, Node) and not never_negative(size - 1):
        hooks.doubt(ew.less(size, constant(1)))


def _is_never_zero(x: Any) -> bool:
    return x.kind is int and is_manageable(x.node) and (never_negative(x.node - 1) or never_negative(-x.node - 1))


_COMPARE: dict[Any, Any] = {
    np.less: ew.less, np.less_equal: ew.less_equal, np.greater: ew.greater, np.greater_equal: ew.greater_equal,
    np.equal: ew.equal, np.not_equal: ew.not_equal,
}  # fmt: skip


def _compared(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """True or False where the bounds of the loop variables decide it, else a traced boolean."""
    difference = subtract(_node(a), _node(b))
    known = _decided(ufunc, difference) if is_manageable(difference) else None
    return SymBool(_COMPARE[ufunc](_node(a), _node(b))) if known is None else known


def _decided(ufunc: np.ufunc, difference: Node) -> bool | None:
    below, above = never_negative(-difference - 1), never_negative(difference - 1)
    at_most, at_least = never_negative(-difference), never_negative(difference)
    if not below and not at_least and ufunc not in (np.less_equal, np.greater):
        turning.ask(polynomial(difference))
    if not above and not at_most and ufunc not in (np.less, np.greater_equal):
        turning.ask(polynomial(difference - 1))
    if ufunc is np.less:
        return True if below else False if at_least else None
    if ufunc is np.less_equal:
        return True if at_most else False if above else None
    if ufunc is np.greater:
        return True if above else False if at_most else None
    if ufunc is np.greater_equal:
        return True if at_least else False if below else None
    same = at_most and at_least
    if not (same or below or above):
        return None
    return same == (ufunc is np.equal)


OPERATORS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.remainder, "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift,
}  # fmt: skip
COMPARISONS = {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
"""Names of Python's operators of two numbers -> ufuncs; these two: of all numbers of a trace."""
_MESSAGE = (
    "the value of a loop variable, or of a number computed from one, is needed here (an index into a list, range(), len(), "
    "a NumPy array from outside), but the loop is compiled once for all its turns"
)


def _unknown(*args: Any) -> Any:
    raise CaptureError(_MESSAGE)


class _Number(Symbolic):
    """A Python number whose value is known only at run time. Weak in promotion, as the number it stands for."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return hooks.ufunc(ufunc, method, inputs, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise CaptureError(_MESSAGE)

    def __neg__(self) -> Any:
        return number(negative(_node(self))) if self.kind is not float else SymFloat(negative(self.node))

    def __pos__(self) -> Any:
        return self if self.kind is not bool else number(_node(self))

    def __invert__(self) -> Any:
        if self.kind is float:
            raise TypeError("bad operand type for unary ~: 'float'")
        return number(subtract(negative(_node(self)), constant(1)))

    def __abs__(self) -> Any:
        node = ew.UFUNCS[np.absolute][0](_node(self))
        return number(node) if self.kind is not float else SymFloat(node)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __bool__(self) -> bool:
        known = self != 0
        return known if type(known) is bool else bool(hooks.as_array(known.node))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({size_text(self.node)})"

    __float__ = __complex__ = __int__ = __index__ = __round__ = __trunc__ = __floor__ = __ceil__ = _unknown
    __str__ = __format__ = __hash__ = _unknown  # type: ignore[assignment]


for _name, _ufunc in OPERATORS.items():
    setattr(_Number, f"__{_name}__", _operation(_ufunc))
    setattr(_Number, f"__r{_name}__", _operation(_ufunc, swapped=True))
for _name, _ufunc in COMPARISONS.items():
    setattr(_Number, f"__{_name}__", _operation(_ufunc))


class SymInt(_Number):
    """An int of a trace: a loop variable or what is computed from it; `node` is in normal form.

    No subclass of int: Python's own indexing, range() and C code would silently use the value it had. It says that it is an int."""

    __slots__ = ()
    kind = int

    __class__ = property(lambda self: int)  # type: ignore[assignment]


class SymFloat(_Number):
    """A float of a trace: carried from turn to turn, or computed from a loop variable."""

    __slots__ = ()
    kind = float


class SymBool(_Number):
    """A truth value of a trace: the result of `not` and of comparisons of Python numbers."""

    __slots__ = ()
    kind = bool


def number(size: Dim) -> Any:
    """A 0-d int64 node as a Python int: an int where it is constant, else a SymInt."""
    simple = simplify_size(size) if is_manageable(size) else size
    return simple if type(simple) is int else SymInt(simple)  # type: ignore[arg-type]


def surface(shape: tuple[Dim, ...]) -> tuple[Any, ...]:
    """A shape as the user sees it."""
    return tuple([n if type(n) is int else number(n) for n in shape])


def as_size(value: Any) -> Dim:
    """A SymInt's node, in the place of a size; ints as they are. Raises CaptureError for one computed from data where none is possible."""
    if type(value) is SymInt:
        return value.node if is_manageable(value.node) and is_size(value.node) else hooks.data_size(value.node)
    return value  # type: ignore[no-any-return]


def counted(value: Any) -> Dim:
    """The size of an axis, of a new array. One that may be negative is an error of NumPy's: then the program's results do not count.
    Raises CaptureError where it is not known and nobody would notice that."""
    size = as_size(value) if type(value) is SymInt else operator.index(value)
    if type(size) is int or never_negative(size):
        return size
    if not hooks.doubt(ew.less(size, constant(0))):
        raise CaptureError("the size of a new array may be negative")
    return greatest(0, size)


def _dim(size: Dim) -> Node:
    return size if isinstance(size, Node) else constant(size)


def least(a: Dim, b: Dim) -> Dim:
    """min(a, b), without a comparison at run time where the bounds decide it."""
    if never_negative(subtract(_dim(b), _dim(a))):
        return a
    return b if never_negative(subtract(_dim(a), _dim(b))) else simplify_size(minimum(_dim(a), _dim(b)))


def greatest(a: Dim, b: Dim) -> Dim:
    """max(a, b), without a comparison at run time where the bounds decide it."""
    if never_negative(subtract(_dim(a), _dim(b))):
        return a
    return b if never_negative(subtract(_dim(b), _dim(a))) else simplify_size(maximum(_dim(a), _dim(b)))
