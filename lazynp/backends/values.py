"""The scalars of a nest as C statements. Each is placed in the innermost loop that it depends on, and no deeper."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lazynp.backends import prelude
from lazynp.backends.choices import NO_CHOICES, branch, choices, common_term, one_of, term
from lazynp.backends.lower import Condition, Memory, checked, load, position, select
from lazynp.backends.nests import Store, polynomials, scalars, values_in
from lazynp.backends.polynomial import Atom, Poly
from lazynp.backends.texts import PLAIN, expression, literal, unwrapped
from lazynp.backends.writer import Writer
from lazynp.ir.node import Node, const
from lazynp.ir.op import Op
from lazynp.ops import elementwise as ew

_LOGICAL = {ew.logical_and: "({} & {})", ew.logical_or: "({} | {})", ew.logical_not: "({} == 0)"}
"""In lanes, of truth values of any width."""
_KINDS = {ew.isnan: "({0} != {0})", ew.isfinite: "(__builtin_fabs({0}) < LZ_INF)", ew.isinf: "(__builtin_fabs({0}) == LZ_INF)"}
"""In lanes: truth values as comparisons make them."""
ALIKE = {ew.exp: "exp", ew.tanh: "tanh", ew.log: "log_alike", ew.sin: "sin_alike", ew.cos: "cos_alike"}
"""Functions of float64 that have the same bits alone and in vectors."""
_INLINE = 120
"""A value that is used once is written into its user's expression up to this length."""


class Values:
    """The scalars of a nest as C statements. levels: loop variable -> depth (1: the outermost); statements[d]: what depth d computes."""

    def __init__(
        self,
        roots: list[Node],
        levels: dict[Atom, int],
        writer: Writer,
        overwritten: Mapping[Memory, set[Poly]],
        alone: bool = False,
        sure: bool = False,
        later: bool = False,
        outer: Values | None = None,
        reciprocals: Mapping[Node, str] | None = None,
    ) -> None:
        self.writer = writer
        self.alone = alone
        """Whether the nest is a single point in a loop of the program."""
        self.sure = sure
        """Whether squares decide all comparisons of moduli (`modulus`)."""
        self.later = later
        """Whether indices out of range only set `outside` and become 0: loops without branches become vectors."""
        self.outer = outer
        """The same scalars, printed before: what they have outside the innermost loop is there."""
        self.reciprocals = reciprocals or {}
        """Divisors whose quotients are made of these reciprocals (quotients.py)."""
        self.overwritten = overwritten
        """What the nest stores to, and where: it is loaded before the first store."""
        self.levels = levels
        self.statements: list[list[str]] = [[] for _ in range(max(levels.values(), default=0) + 1)]
        self.depth: dict[Node, int] = {}
        self.zero = ""
        self.text: dict[Node, str] = {}
        order = scalars(roots)
        self.uses = uses = _uses(order, roots)
        self.impure = not later and any(node.op is checked for node in order)
        self.selects = any(node.op is ew.where for node in order)
        self.choices = choices(order, uses, overwritten, writer.integers) if alone else NO_CHOICES
        self.cost = 1.0
        for node in order:
            self._add(node, uses[node])

    def _add(self, node: Node, uses: int) -> None:
        self.cost += node.op.cost
        depth = max(
            [self._own_depth(node), *[self.depth[a] for a in node.args], *[self.depth[n] for p in polynomials(node) for n in values_in(p)]]
        )
        self.depth[node] = depth
        if self.outer is not None and depth < len(self.statements) - 1:
            self.text[node] = self.outer.text[node]
            return
        if node.op is const:
            self.text[node] = literal(node.value.array[()], node.dtype)
            return
        if node in self.choices.nested:
            return
        if node in self.choices.branches:
            text = self._branch(node, depth)
        elif node in self.choices.early:
            text = self._early(node)
        else:
            text = self._select(node, depth) if node in self.choices.selects else self._expression(node)
        names = self.writer.names.get(node, ())
        if node.op is checked and self.later:
            text = self._check_later(node)
        elif node.op is checked and self.writer.leave:
            self.statements[depth] += self._check(node, text := self.writer.fresh("ix"))
        if names or uses > 1 or len(text) > _INLINE or depth < len(self.statements) - 1 or self._must_come_first(node):
            for name in names or (self.writer.fresh("v"),):
                self.statements[depth].append(f"const {self._ctype(node)} {name} = {unwrapped(text)};")
                text = name
        self.text[node] = text

    def _ctype(self, node: Node) -> str:
        """The type of a variable. In lanes truth values are as wide as what they are computed from."""
        return "int64_t" if self.writer.lanes and node.dtype == bool else prelude.ctype(node.dtype)

    def _branch(self, node: Node, depth: int) -> str:
        name = self.writer.fresh("v")
        self.statements[depth] += [f"{prelude.ctype(node.dtype)} {name};", *branch(name, node, self.text.__getitem__, self.choices.nested)]
        return name

    def _select(self, node: Node, depth: int) -> str:
        """A choice of which compilers cannot see that one side could be left out."""
        test, yes, no = [self.text[a] for a in node.args]
        name = self.writer.fresh("v")
        self.statements[depth] += [f"{prelude.ctype(node.dtype)} {name} = {unwrapped(no)};", f'__asm__ ("" : "+r"({name}));']
        return f"({test} ? {yes} : {name})"

    def _early(self, node: Node) -> str:
        """A choice of which compilers cannot see that it could be a branch."""
        found = common_term(node, self.choices.late, self.choices.early, self.uses)
        if found is None:
            return one_of(node, self.text.__getitem__, *[unwrapped(self.text[a]) for a in node.args[1:]])
        op, common = found
        beside = term(node, op, common, self.choices.early, self.uses, self.text.__getitem__)
        return expression(op, node, [node.dtype, node.dtype], [self.text[common], str(beside)])

    def _check(self, node: Node, name: str) -> list[str]:
        """An index and the test of it: out of range, the function is left. Negative ones are branched to, not selected: sums over the rows
        of a sparse matrix 356 -> 288 us, a bucket sort 77 -> 55 us."""
        raw, size = self.text[node.args[0]], self.poly(node.size)
        failed = f"{{ lz_fail(slots, {self.writer.failure(node)}, {raw}, {size}); goto {self.writer.leave}; }}"
        outside = f"(uint64_t){name} >= (uint64_t){size}"  # of negative ones too
        test = [
            f"{name} = (int64_t){raw};",
            f"if (__builtin_expect({outside}, 0)) {{ {name} += {size}; if ({outside}) {failed} }}",
        ]
        return [f"int64_t {name} = 0;", *([f"if ({self._test(node.guards)}) {{", *test, "}"] if node.guards else test)]

    def _check_later(self, node: Node) -> str:
        """Masks, not conditions, of which gcc makes branches and no vectors (two gathers of a histogram: 4.3 -> 2.0 ns an element)."""
        raw, place, size = self.writer.fresh("ix"), self.writer.fresh("ix"), self.poly(node.size)
        self.statements[self.depth[node]] += [
            f"const int64_t {raw} = (int64_t){self.text[node.args[0]]}, {place} = {raw} + ({size} & {raw} >> 63);",
            f"outside |= (uint64_t){place} >= (uint64_t){size};",
        ]
        return f"({place} & -(int64_t)((uint64_t){place} < (uint64_t){size}))"

    def _must_come_first(self, node: Node) -> bool:
        """Loads are never left to one side of a choice: gcc makes masked loads of these, and up to 12.3 and 13.2 permutes them wrongly
        where a short inner loop is unrolled (https://gcc.gnu.org/PR114375)."""
        return node.op is checked or (node.op is load and (self.selects or node.buffer.memory in self.overwritten))

    def _own_depth(self, node: Node) -> int:
        found = [self.levels[v] for p in polynomials(node) for v in p.variables]
        return max(found, default=0)

    def _expression(self, node: Node) -> str:
        if (by_bits := shifted(node)) is not None:
            return by_bits.format(self.text[node.args[0]])
        if node.op is load:
            return self._load(node)
        if node.op is position:
            return f"((int64_t){self.poly(node.expression)})"
        if node.op is select:
            return f"({self._test(node.conditions)} ? {self.text[node.args[0]]} : {self.text[node.args[1]]})"
        if node.op is checked:
            return self._checked(node)
        if (z := modulus(node)) is not None:
            name = f"absolute_{'surely_' if self.sure else ''}{node.op.name}"
            return f"{prelude.helper(name, z.dtype)}({self.text[z]}, {self.text[node.args[1]]})"
        if self.writer.alike and node.op in ALIKE and node.dtype == np.float64:
            return f"{prelude.helper(ALIKE[node.op], node.dtype)}({unwrapped(self.text[node.args[0]])})"
        if (self.alone or self.writer.lanes) and node.op is ew.exp and node.dtype in PLAIN:
            return f"{prelude.helper('exp_alone', node.dtype)}({unwrapped(self.text[node.args[0]])})"
        if self.writer.lanes and node.op in _KINDS and node.args[0].dtype.kind == "f":
            return _KINDS[node.op].format(self.text[node.args[0]])
        if self.writer.lanes and node.op in _LOGICAL and all(a.dtype == bool for a in node.args):
            return _LOGICAL[node.op].format(*[self.text[a] for a in node.args])
        if node.op is ew.where and node.dtype in PLAIN and not (self.alone or self.writer.lanes):
            if any(side.op is ew.kept for side in node.args[1:]):
                arguments = [unwrapped(self.text[a]) for a in node.args]
                return f"{prelude.helper('both', node.dtype)}({', '.join(arguments)}, {self._zero()})"
        texts = [self.text[a] for a in node.args]
        if node.op is ew.divide and node.args[1] in self.reciprocals:
            return f"{prelude.helper('quotient', node.dtype)}({unwrapped(texts[0])}, {texts[1]}, {self.reciprocals[node.args[1]]})"
        if texts and all(a.op is const for a in node.args):  # folding left it because it warns
            texts[0] = f"LZ_HIDDEN({texts[0]})"
        return expression(node.op, node, [a.dtype for a in node.args], texts)

    def _zero(self) -> str:
        """A variable outside of all loops that is zero, which compilers do not know."""
        if not self.zero:
            self.zero = self.writer.fresh("zero")
            self.statements[0].append(f'int64_t {self.zero} = 0; __asm__ ("" : "+r"({self.zero}));')
        return self.zero

    def _load(self, node: Node) -> str:
        known = self.writer.neighbour
        if known is not None and node.buffer.memory is known[0] and node.address == known[1]:
            return known[3]
        text = f"{self.writer.pointer(node.buffer.memory)}[{unwrapped(self.poly(node.address))}]"
        if not node.guards:
            return text
        return f"({self._test(node.guards)} ? {text} : {literal(np.zeros((), node.dtype)[()], node.dtype)})"

    def _test(self, conditions: tuple[Condition, ...]) -> str:
        return " && ".join([f"{self.poly(c.expression)} == 0" if c.zero else self._at_least_zero(c.expression) for c in conditions])

    def _at_least_zero(self, p: Poly) -> str:
        """A comparison of two sides. gcc makes of `n - 1 - i >= 0` a test of signs, whose AVX-512 mask it turns around, and with it
        the masked load that it guards: a load of everything, also behind the array, and a choice."""
        left, right = p.sides()
        return f"{self.poly(left)} >= {self.poly(right)}"

    def _checked(self, node: Node) -> str:
        raw, size = self.text[node.args[0]], self.poly(node.size)
        code = self.writer.failure(node)
        call = f"lz_index((int64_t){raw}, {size}, slots, {code})"
        return f"({self._test(node.guards)} ? {call} : 0)" if node.guards else call

    def poly(self, p: Poly) -> str:
        """Text of a polynomial; the values in it are statements by now."""
        return self.writer.poly(p)


def _uses(order: list[Node], roots: list[Node]) -> dict[Node, int]:
    uses = dict.fromkeys(order, 0)
    for node in order:
        for a in node.args:
            uses[a] += 1
        for p in polynomials(node):
            for n in values_in(p):
                uses[n] += 2  # it needs a name
    for root in roots:
        uses[root] += 1
    return uses


def shifted(node: Node) -> str | None:
    """Division of integers by a power of two: NumPy's rounds down, as a shift does."""
    if node.op not in (ew.floor_divide, ew.remainder) or node.dtype.kind not in "iu" or node.args[1].op is not const:
        return None
    by = int(node.args[1].value.array)
    if node.dtype not in PLAIN or by <= 0 or by & (by - 1):
        return None
    text = f"({{}} >> {by.bit_length() - 1})" if node.op is ew.floor_divide else f"({{}} & {literal(by - 1, node.dtype)})"
    return text


def modulus(node: Node) -> Node | None:
    """z of a comparison of abs(z), z complex, with a number of the same precision: it needs no root but for nearly equal ones."""
    if node.op not in (ew.less, ew.less_equal, ew.greater, ew.greater_equal) or node.args[0].op is not ew.absolute:
        return None
    z = node.args[0].args[0]
    return z if z.dtype.kind == "c" and node.args[1].dtype == node.args[0].dtype else None


def is_own(value: Node, store: Store) -> bool:
    """Whether a value is the one that a store would replace."""
    return value.op is load and value.buffer.memory is store.buffer.memory and value.address == store.address and not value.guards


def joined_truth(store: Store) -> tuple[Op, Node] | None:
    """(op, x) where a single boolean becomes `itself or x` or `itself and x`."""
    if store.value.op not in (ew.logical_or, ew.logical_and) or store.buffer.memory.size.constant != 1:
        return None
    for own, x in (store.value.args, store.value.args[::-1]):
        if own.op is load and own.buffer.memory is store.buffer.memory and own.address == store.address and not own.guards:
            return store.value.op, x
    return None


def decisions(value: Node) -> list[list[Node]]:
    """The truth values of which all must be true for this one to be, in groups that are tested at once: comparisons of floating-point
    numbers alone, they take long; all others together (Newton's method: 621 us one by one, 466)."""
    parts = conjuncts(value)
    slow = [part for part in parts if any(a.dtype.kind == "f" for a in part.args)]
    quick = [part for part in parts if part not in slow]
    return [*[[part] for part in slow], *([quick] if quick else [])]


def conjuncts(value: Node) -> list[Node]:
    """The truth values of which all must be true for this one to be."""
    found, waiting = [], [value]
    while waiting:
        node = waiting.pop()
        if node.op is ew.logical_and and all(a.dtype == bool for a in node.args):
            waiting += node.args[::-1]
        else:
            found.append(node)
    return found
