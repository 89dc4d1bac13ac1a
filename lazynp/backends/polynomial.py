"""Index arithmetic: polynomials with integer coefficients over atoms (loop variables, sizes known at run time, quotients).

Sizes, strides, loop bounds and positions inside arrays are all of this one class. Text of a polynomial is valid C and valid Python.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from lazynp.ir.node import Node, const, dim, numbered_dim, toposort
from lazynp.ops import elementwise as ew
from lazynp.ops.sizes import size_

Monomial = tuple["Atom", ...]


class Atom:
    """An integer with a name. kind: "var" (loop variable), "dim" (size known at run time), "div", "mod" (args: two Poly), "value" (args:
    one int64 node of the loop dialect). Interned: equal atoms are one object."""

    __slots__ = ("__weakref__", "args", "kind", "name", "serial", "variables")

    def __init__(self, kind: str, args: tuple[Any, ...], name: str, variables: frozenset[Atom] | None) -> None:
        self.kind = kind
        self.args = args
        self.name = name
        self.serial = next(_serial)
        self.variables: frozenset[Atom] = frozenset((self,)) if variables is None else variables

    def __repr__(self) -> str:
        return self.name

    def __lt__(self, other: Atom) -> bool:
        return self.serial < other.serial


_serial = itertools.count()
_named: WeakValueDictionary[tuple[str, str], Atom] = WeakValueDictionary()


def variable(name: str) -> Poly:
    """A loop variable."""
    return Poly({(_atom("var", name, None),): 1})


def size_atom(position: int) -> Poly:
    """The size at a position of a program's dims; never negative."""
    return Poly({(_atom("dim", f"n{position}", frozenset()),): 1})


def index_atom(position: int) -> Poly:
    """An integer at a position of a program's dims that may be negative: a loop variable."""
    return Poly({(_atom("index", f"n{position}", frozenset()),): 1})


def _atom(kind: str, name: str, variables: frozenset[Atom] | None) -> Atom:
    known = _named.get((kind, name))
    if known is None:
        known = _named[kind, name] = Atom(kind, (), name, variables)
    return known


class Poly:
    """Immutable; `terms`: products of atoms (sorted; () is the constant) -> nonzero coefficient."""

    __slots__ = ("_hash", "_variables", "terms")

    def __init__(self, terms: dict[Monomial, int]) -> None:
        self.terms = terms
        self._hash = 0
        self._variables: frozenset[Atom] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Poly) and self.terms == other.terms

    def __hash__(self) -> int:
        if not self._hash:
            self._hash = hash(frozenset(self.terms.items())) or 1
        return self._hash

    def __add__(self, other: Poly | int) -> Poly:
        terms = dict(self.terms)
        for monomial, n in poly(other).terms.items():
            total = terms.get(monomial, 0) + n
            if total:
                terms[monomial] = total
            else:
                del terms[monomial]
        return Poly(terms)

    def __sub__(self, other: Poly | int) -> Poly:
        return self + poly(other) * -1

    def __mul__(self, other: Poly | int) -> Poly:
        if type(other) is int:
            return self if other == 1 else Poly({m: n * other for m, n in self.terms.items()}) if other else ZERO
        terms: dict[Monomial, int] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():  # type: ignore[union-attr]
                monomial = tuple(sorted(left + right)) if left and right else left or right
                terms[monomial] = terms.get(monomial, 0) + a * b
        return Poly({m: n for m, n in terms.items() if n})

    @property
    def constant(self) -> int | None:
        """The value of a polynomial without atoms, else None."""
        if not self.terms:
            return 0
        return self.terms.get(()) if len(self.terms) == 1 else None

    @property
    def variables(self) -> frozenset[Atom]:
        """The loop variables that it depends on, also through quotients."""
        if self._variables is None:
            self._variables = frozenset([v for monomial in self.terms for atom in monomial for v in atom.variables])
        return self._variables

    def atoms(self) -> set[Atom]:
        """Every atom of every term."""
        return {atom for monomial in self.terms for atom in monomial}

    def coefficient(self, atom: Atom) -> Poly | None:
        """c of self = c * atom + rest with c and rest free of the atom; None if it is not linear in it."""
        terms: dict[Monomial, int] = {}
        for monomial, n in self.terms.items():
            count = monomial.count(atom)
            if count > 1 or any(a is not atom and atom in a.variables for a in monomial):
                return None
            if count:
                terms[tuple([a for a in monomial if a is not atom])] = n
        return Poly(terms)

    def replaced(self, values: Mapping[Atom, Poly]) -> Poly:
        """With atoms (also inside quotients) replaced."""
        if not _mentions(self, values):
            return self
        total = ZERO
        for monomial, n in self.terms.items():
            product = Poly({(): n})
            for atom in monomial:
                product = product * _replaced_atom(atom, values)
            total = total + product
        return total

    def sides(self) -> tuple[Poly, Poly]:
        """(a, b) of self = a - b: the terms that are added, and those that are subtracted; of a sum one term and the others."""
        added = {monomial: n for monomial, n in self.terms.items() if n > 0}
        if len(added) == len(self.terms) > 1:
            added = dict([max(added.items(), key=lambda term: len(term[0]))])
        return Poly(added), Poly({monomial: -n for monomial, n in self.terms.items() if monomial not in added})

    def text(self) -> str:
        """C and Python text, parenthesised where it has several terms."""
        if not self.terms:
            return "0"
        parts = [_monomial_text(monomial, n) for monomial, n in sorted(self.terms.items(), key=_order)]
        joined = " + ".join(parts).replace("+ -", "- ")
        return joined if len(parts) == 1 else f"({joined})"

    __repr__ = text


def _order(item: tuple[Monomial, int]) -> tuple[int, list[int]]:
    return -len(item[0]), [atom.serial for atom in item[0]]


def _monomial_text(monomial: Monomial, n: int) -> str:
    names = [atom.name for atom in monomial]
    if not names:
        return str(n)
    return "*".join([*([] if abs(n) == 1 else [str(n)]), *names]) if n != -1 else f"-{'*'.join(names)}"


def _mentions(p: Poly, values: Mapping[Atom, Poly]) -> bool:
    """Whether one of some atoms stands in a polynomial, also inside quotients."""
    return any(v in values for v in p.variables) or any(atom in values for atom in all_atoms(p))


def _replaced_atom(atom: Atom, values: Mapping[Atom, Poly]) -> Poly:
    if atom in values:
        return values[atom]
    if atom.kind in ("div", "mod") and any(_mentions(p, values) for p in atom.args):
        return _quotient_atom(atom.kind, atom.args[0].replaced(values), atom.args[1].replaced(values))
    return Poly({(atom,): 1})


def poly(value: Any) -> Poly:
    """An int or Poly as a Poly."""
    if isinstance(value, Poly):
        return value
    return Poly({(): int(value)}) if value else ZERO


ZERO = Poly({})
ONE = Poly({(): 1})


def product(factors: Iterable[Any]) -> Poly:
    total = ONE
    for factor in factors:
        total = total * poly(factor)
    return total


Bounds = Mapping[Atom, tuple[Poly, Poly]]
"""For loop variables the least and the greatest value."""


def lower_bound(p: Poly, bounds: Bounds) -> Poly | None:
    """A polynomial over sizes that p never falls below; None if none is found."""
    return _bound(p, bounds, 0)


def upper_bound(p: Poly, bounds: Bounds) -> Poly | None:
    """A polynomial over sizes that p never exceeds; None if none is found."""
    return _bound(p, bounds, 1)


def never_equal(p: Poly, q: Poly) -> bool:
    """Whether no value of p, at any point of some loops, is a value of q at any point of them: their steps have a common divisor that the
    distance between them does not have, as columns of a matrix."""
    step, distance = 0, ZERO
    for sign, one in ((1, p), (-1, q)):
        for monomial, n in one.terms.items():
            if all(a.kind in ("dim", "index") for a in monomial):
                distance = distance + Poly({monomial: sign * n})
            elif len(monomial) == 1 and monomial[0].kind == "var":
                step = math.gcd(step, n)
            else:
                return False
    return distance.constant is not None and (distance.constant % step != 0 if step else distance.constant != 0)


def _bound(p: Poly, bounds: Bounds, side: int) -> Poly | None:
    """Variables at the end of their range that is extreme. Sizes in a coefficient count as not negative."""
    total = ZERO
    for monomial, n in p.terms.items():
        inner = [a for a in monomial if a.variables]
        factor = Poly({tuple([a for a in monomial if not a.variables]): n})
        if not inner:
            total = total + factor
            continue
        if len(inner) > 1:
            return None
        limits = _limits(inner[0], bounds)
        if limits is None:
            return None
        total = total + factor * limits[side if n > 0 else 1 - side]
    return total


def _limits(atom: Atom, bounds: Bounds) -> tuple[Poly, Poly] | None:
    if atom in bounds:
        return bounds[atom]
    if atom.kind == "mod":
        return ZERO, atom.args[1] - 1
    if atom.kind == "div":
        top = upper_bound(atom.args[0], bounds)
        by = atom.args[1].constant
        if top is not None and top.constant is not None and by:
            return ZERO, poly(max(top.constant // by, 0))
    return None


def never_negative(p: Poly) -> bool:
    """Whether a polynomial over sizes is certainly >= 0; sizes are."""
    return all(n >= 0 for n in p.terms.values()) and all(a.kind == "dim" for a in p.atoms())


def quotient(p: Poly, by: Poly, bounds: Bounds) -> tuple[Poly, Poly]:
    """(p // by, p % by) for p >= 0 and by > 0, without a division where terms allow it."""
    if by.constant == 1:
        return p, ZERO
    whole, rest = split(p, by)
    low = lower_bound(rest, bounds)
    high = upper_bound(rest, bounds)
    if low is not None and high is not None and never_negative(low) and never_negative(by - high - 1):
        return whole, rest
    if low is not None and never_negative(low):
        return whole + _quotient_atom("div", rest, by), _quotient_atom("mod", rest, by)
    return _quotient_atom("div", p, by), _quotient_atom("mod", p, by)


def split(p: Poly, by: Poly) -> tuple[Poly, Poly]:
    """p = whole * by + rest, where by is one product."""
    if len(by.terms) != 1:
        return ZERO, p
    (divisor, k), *_ = by.terms.items()
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, n in p.terms.items():
        left = _without(monomial, divisor)
        if left is None or n % k:
            if left is not None and n // k:
                whole[left] = whole.get(left, 0) + n // k
                n -= n // k * k
            rest[monomial] = n
        else:
            whole[left] = whole.get(left, 0) + n // k
    return Poly(whole), Poly(rest)


def _without(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    left = list(monomial)
    for atom in divisor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def _quotient_atom(kind: str, p: Poly, by: Poly) -> Poly:
    a, b = p.constant, by.constant
    if a is not None and b:
        return poly(a // b if kind == "div" else a % b)
    name = f"({p.text()} {'/' if kind == 'div' else '%'} {by.text()})"
    known = _named.get((kind, name))
    if known is None:
        known = _named[kind, name] = Atom(kind, (p, by), name, p.variables | by.variables)
    return Poly({(known,): 1})


def value_atom(node: Node, variables: frozenset[Atom]) -> Poly:
    """An index that is a value of the loop dialect; a new atom each time."""
    serial = next(_serial)
    return Poly({(Atom("value", (node,), f"at{serial}", variables),): 1})


def all_atoms(p: Poly) -> Iterator[Atom]:
    """The atoms of a polynomial and of those inside them."""
    for atom in p.atoms():
        yield atom
        for inner in atom.args:
            if isinstance(inner, Poly):
                yield from all_atoms(inner)


class Sizes:
    """Turns `Dim`s into polynomials. What is no polynomial over dims (a quotient, a maximum) becomes a further dim that Python computes.

    Loops of the program add dims of their own, which C sets at every turn: loop variables and, in `inner`, what is computed from them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.extra: list[Node | None] = []
        self.inner: dict[int, Node] = {}
        self._known: dict[Node, Poly] = {}
        self._places: dict[Atom, int] = {}
        self._limits: dict[Atom, tuple[Poly | None, Poly | None]] = {}

    def loop_dim(self, low: Poly | None, high: Poly | None) -> Node:
        """A new leaf that C sets, between low and high where they are known."""
        leaf = numbered_dim(self._place())
        self._known[leaf] = self._limited(leaf.key, low, high)
        return leaf

    def _place(self) -> int:
        self.extra.append(None)
        return self.count + len(self.extra) - 1

    def _limited(self, position: int, low: Poly | None, high: Poly | None) -> Poly:
        p = size_atom(position) if low is not None and never_negative(low) else index_atom(position)
        (atom,) = p.atoms()
        self._places[atom] = position
        self._limits[atom] = low, high
        return p

    def loop_places(self, p: Poly) -> set[int]:
        """The positions of the dims in p that loops set."""
        return {self._places[a] for a in all_atoms(p) if a in self._places}

    def place_of(self, atom: Atom) -> int | None:
        """The position in dims of an integer that loops set; None for any other atom."""
        return self._places.get(atom)

    def limits(self, atom: Atom) -> tuple[Poly | None, Poly | None]:
        """The least and the greatest value of an integer that loops set, where they are known."""
        return self._limits.get(atom, (None, None))

    def upper(self, p: Poly) -> Poly | None:
        """A polynomial without loop variables that p never exceeds, or None."""
        return self._extreme(p, 1)

    def lower(self, p: Poly) -> Poly | None:
        """A polynomial without loop variables that p never falls below, or None."""
        return self._extreme(p, 0)

    def _extreme(self, p: Poly, side: int) -> Poly | None:
        while True:
            atoms = [a for a in p.atoms() if a in self._places]
            if not atoms:
                return p
            atom = max(atoms, key=self._places.__getitem__)
            limits = self._limits[atom]
            total = ZERO
            for monomial, n in p.terms.items():
                term = Poly({tuple([a for a in monomial if a is not atom]): n})
                for _ in range(monomial.count(atom)):
                    limit = limits[side if n > 0 else 1 - side]
                    if limit is None or (len(monomial) > 1 and not all(a.kind == "dim" for a in monomial)):
                        return None
                    term = term * limit
                total = total + term
            p = total

    def __call__(self, size: Any) -> Poly:
        if type(size) is int:
            return poly(size)
        known = self._known.get(size)
        if known is None:
            known = self._known[size] = self._convert(size)
        return known

    def _convert(self, node: Node) -> Poly:
        if node.op is const:
            return poly(int(node.value.array))
        if node.op is dim:
            assert type(node.key) is int, f"{node} is bound by no loop around"
            return size_atom(node.key)
        if node.op is size_:
            return self(node.value)
        if node.op is ew.negative:
            return self(node.args[0]) * -1
        if node.op in (ew.add, ew.subtract, ew.multiply):
            left, right = self(node.args[0]), self(node.args[1])
            return left + right if node.op is ew.add else left - right if node.op is ew.subtract else left * right
        if any(n.op is dim and size_atom_of(self(n)) in self._places for n in toposort([node])):
            return self._computed(node)
        for a in node.args:  # what it is computed from comes first
            self(a)
        self.extra.append(node)
        return size_atom(self.count + len(self.extra) - 1)

    def _computed(self, node: Node) -> Poly:
        """A dim that C computes at every turn of a loop."""
        for part in toposort(node.args):
            if part.dtype == np.int64:
                self(part)
        low, high = [self._bound_of(node, side) for side in (0, 1)]
        position = self._place()
        self.inner[position] = node
        return self._limited(position, low, high)

    def _bound_of(self, node: Node, side: int) -> Poly | None:
        """A bound of a size that is no polynomial, from those of its arguments."""
        if node.op is ew.remainder:
            by = self(node.args[1]).constant
            return None if by is None or by <= 0 else ZERO if side == 0 else poly(by - 1)
        if node.op is ew.floor_divide and (self(node.args[1]).constant or 0) > 0:
            inner = self._extreme(self(node.args[0]), side)
            return inner if inner is not None and never_negative(inner) else None
        if node.op not in (ew.minimum, ew.maximum, ew.where):
            return None
        found = [self._extreme(self(a), side) for a in node.args[-2:]]
        either = (node.op is ew.minimum) == (side == 1) and node.op is not ew.where
        known = [f for f in found if f is not None]
        if either and known:
            return max(known, key=never_negative) if side == 0 else known[0]
        if len(known) < 2:
            return None
        first, second = known
        for a, b in ((first, second), (second, first)):
            if never_negative(a - b):
                return a if side == 1 else b
        return first + second if side == 1 and never_negative(first) and never_negative(second) else None


def size_atom_of(p: Poly) -> Atom | None:
    """The atom of a polynomial that is one atom."""
    atoms = p.atoms()
    return next(iter(atoms)) if len(atoms) == 1 else None
