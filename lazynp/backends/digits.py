"""Axes of which indices take quotients and remainders become one axis per digit: an array read in another shape (`x.reshape(n, 2).T`)
is then walked by nested loops over plain strides, where a division at every point would cost more than the work itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from lazynp.backends.lower import Axis
from lazynp.backends.nests import Nest, polynomials, rebuild, scalars
from lazynp.backends.polynomial import ZERO, Atom, Bounds, Poly, all_atoms, poly, quotient, variable

_MOST_DIGITS = 4


def in_digits(nest: Nest) -> Nest:
    """The nest with every axis of constant size, whose quotients all vanish like that, as several."""
    if nest.kind != "loops" or nest.moves:
        return nest
    for axis in nest.axes:
        if axis.variable not in nest.reduced and axis.begin == ZERO and axis.end.constant is not None:
            nest = _split(nest, axis)
    return nest


def _split(nest: Nest, axis: Axis) -> Nest:
    used = _indices(nest)
    places = _places(used, axis)
    if places is None:
        return nest
    digits = [_digit(axis, number, size) for number, size in enumerate(_sizes(places, axis))]
    whole = ZERO
    for digit, place in zip(digits, places, strict=True):
        whole = whole + Poly({(digit.variable,): place})
    bounds = {a.variable: (a.begin, a.end - 1) for a in (*nest.axes, *digits)}
    changed = {p: _replaced(p, {axis.variable: whole}, bounds) for p in used}
    new = {d.variable for d in digits}
    if any(not a.variables.isdisjoint(new) for p in changed.values() for a in all_atoms(p) if a.kind in ("div", "mod")):
        return nest
    position = nest.axes.index(axis)
    return _rebuilt(nest, (*nest.axes[:position], *digits, *nest.axes[position + 1 :]), changed)


def _indices(nest: Nest) -> set[Poly]:
    """Every polynomial in the nest."""
    parts = [*nest.stores, *nest.folds]
    return {p for n in scalars(nest.roots()) for p in polynomials(n)} | {p.address for p in parts} | {
        f.position for f in nest.folds if f.position is not None
    }  # fmt: skip


def _places(used: Iterable[Poly], axis: Axis) -> list[int] | None:
    """The values of the digits, the greatest first, 1 last: the divisors in quotients of the axis, and their products where quotients are
    divided again. None where they are no digits of one number."""
    found = {1}
    for p in used:
        for atom in all_atoms(p):
            if atom.kind != "var" and axis.variable in atom.variables:
                place = _place(atom, axis) if atom.kind in ("div", "mod") else None
                if place is None:
                    return None
                found.add(place)
    places = sorted(found, reverse=True)
    size = axis.end.constant
    chained = all(a % b == 0 for a, b in zip([size, *places], places, strict=False))
    if places[0] == size:
        places = places[1:]
    return places if chained and 1 < len(places) <= _MOST_DIGITS else None


def _place(atom: Atom, axis: Axis) -> int | None:
    """d of (axis / d) and (axis % d), a * d of ((axis / a) / d) and ((axis / a) % d); None for others."""
    inner, by = atom.args[0], atom.args[1].constant
    if by is None or len(inner.terms) != 1:
        return None
    ((monomial, n),) = inner.terms.items()
    if n != 1 or len(monomial) != 1:
        return None
    if monomial[0] is axis.variable:
        return int(by)
    above = _place(monomial[0], axis) if monomial[0].kind == "div" else None
    return None if above is None else above * int(by)


def _sizes(places: list[int], axis: Axis) -> list[int]:
    size: Any = axis.end.constant
    return [a // b for a, b in zip([size, *places], places, strict=False)]


def _digit(axis: Axis, number: int, size: int) -> Axis:
    (atom,) = variable(f"{axis.variable.name}_{number}").atoms()
    return axis._replace(variable=atom, end=poly(size))


def _replaced(p: Poly, values: Mapping[Atom, Poly], bounds: Bounds) -> Poly:
    """With an atom replaced, quotients worked out as far as the bounds tell."""
    if p.variables.isdisjoint(values):
        return p
    total = ZERO
    for monomial, n in p.terms.items():
        term = Poly({(): n})
        for atom in monomial:
            term = term * _atom_replaced(atom, values, bounds)
        total = total + term
    return total


def _atom_replaced(atom: Atom, values: Mapping[Atom, Poly], bounds: Bounds) -> Poly:
    if atom in values:
        return values[atom]
    if atom.kind in ("div", "mod") and not atom.variables.isdisjoint(values):
        parts = [_replaced(a, values, bounds) for a in atom.args]
        return quotient(parts[0], parts[1], bounds)[atom.kind == "mod"]
    return Poly({(atom,): 1})


def _rebuilt(nest: Nest, axes: tuple[Axis, ...], changed: Mapping[Poly, Poly]) -> Nest:
    def change(p: Poly) -> Poly:
        return changed.get(p, p)

    parts: list[Any] = [*nest.stores, *nest.folds]
    values = rebuild([part.value for part in parts], change)
    parts = [part._replace(address=change(part.address), value=v) for part, v in zip(parts, values, strict=True)]
    folds = [f._replace(position=None if f.position is None else change(f.position)) for f in parts[len(nest.stores) :]]
    return replace(nest, axes=axes, stores=parts[: len(nest.stores)], folds=folds)
