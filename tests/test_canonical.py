"""Canonical graphs: what shares a skeleton, and the one program that serves every size."""

import numpy as np

from lazynp.backends.reference import evaluate
from lazynp.ir import canonical
from lazynp.ir.node import constant, new_input, numbered_dim
from lazynp.ir.types import ArrayType
from lazynp.ir.verify import verify
from lazynp.ops.contraction import matmul
from lazynp.ops.elementwise import exp
from lazynp.ops.movement import broadcast, join, reshape, slice_
from lazynp.ops.reduction import reduce_add
from lazynp.optimize.passes import optimize

F8 = np.dtype(np.float64)


def leaf(*shape):
    return new_input(ArrayType(shape, F8))


def form(*outputs):
    return canonical.take_apart(outputs, {})


def test_sizes_are_facts_but_zero_and_one_are_structure():
    assert form(exp(leaf(3, 4))).skeleton == form(exp(leaf(5, 6))).skeleton
    assert form(exp(leaf(3, 1))).skeleton != form(exp(leaf(3, 4))).skeleton
    assert form(exp(leaf(3, 4))).facts == (3, 4)


def test_constants_keep_their_exact_identity():
    assert constant(0.0) is not constant(-0.0)
    assert constant(1) is not constant(1.0)
    assert constant(1) is not constant(True)
    assert constant(np.nan) is constant(np.nan)


def generic(first, second):
    variant = canonical.general(second, [first.facts])
    verify(variant.graph)
    return variant


def test_one_dim_for_sizes_that_must_agree():
    def program(n, m):
        x, y = leaf(n, m), leaf(n, m)
        return form(x * 2.5 + y)

    first, second = program(3, 7), program(4, 4)
    variant = generic(first, second)
    assert len(variant.parameters) == 2, "n and m may differ, although they are equal here"
    third = program(5, 6)
    assert variant.fits(third.facts)


def test_what_is_broadcast_keeps_its_other_sizes():
    """Two dims for one size: `matrix_product_of` could not multiply what it took out of the broadcasts."""

    def program(n, m):
        x, y = reshape(leaf(n * 3), (n, 3, 1)), reshape(leaf(3 * m), (1, 3, m))
        return form(reduce_add(broadcast(x, (n, 3, m)) * broadcast(y, (n, 3, m)), (1,)))

    first, second = program(4, 7), program(5, 6)
    assert len(canonical.general(second, []).parameters) == 5, "three sizes, and two lengths of what is reshaped"
    assert optimize(generic(first, second).graph).outputs


def rows_less_first(n, m):
    x = leaf(n, m)
    first = reshape(slice_(x, starts=(0, 0), steps=(1, 1), sizes=(1, m)), (m,))
    return form(x - broadcast(first, (n, m)))


def test_what_is_taken_whole_is_one_size():
    """x - x[0] had two sizes for its columns, and divided for every element: 10 times as slow."""
    variant = generic(rows_less_first(3, 7), rows_less_first(5, 6))
    assert len(variant.parameters) == 2
    assert variant.fits(rows_less_first(8, 9).facts)


def test_what_is_taken_whole_by_chance():
    def program(n, m, taken):
        return form(exp(slice_(leaf(n, m), starts=(0, 2), steps=(1, 1), sizes=(taken, m - 2))))

    known = [program(4, 7, 4), program(5, 6, 5)]
    variant = generic(*known)
    assert len(variant.parameters) == 3
    other = program(8, 9, 3)
    assert variant.fits(program(8, 9, 8).facts) and not variant.fits(other.facts)
    more = canonical.general(other, [one.facts for one in known])
    assert len(more.parameters) == 4 and all(more.fits(one.facts) for one in (*known, other))


def test_axes_that_a_reshape_keeps():
    assert reshape.keeps((1, 7), (7,)) == [(1, 0)]
    assert reshape.keeps((4, 6), (4, 2, 3)) == [(0, 0)]
    assert reshape.keeps((2, 3, 5), (6, 5)) == [(2, 1)]
    assert reshape.keeps((2, 3, 5, 7), (6, 1, 5, 7)) == [(2, 2), (3, 3)]
    assert reshape.keeps((6, 4), (3, 8)) == reshape.keeps((4, 0), (0, 9)) == []


def test_generic_program_computes_other_sizes():
    def program(n):
        x = leaf(n)
        inner = slice_(x, (1,), (1,), (n - 2,))
        return form(reduce_add(join(inner, x, axis=0) * (0.1 * n), (0,)))

    variant = generic(program(6), program(7))
    assert variant.fits(program(9).facts)
    facts = program(9).facts
    dims = {numbered_dim(k): facts[p] for k, p in enumerate(variant.parameters)}
    x = np.arange(9.0)
    scalars = [facts[p].array for p in variant.scalars]
    (value,) = evaluate(variant.graph, [x, *scalars], dims)
    np.testing.assert_allclose(value, (x[1:-1].sum() + x.sum()) * 0.9)


def test_an_output_has_the_sizes_of_the_memory_that_receives_it():
    def written(rows, columns):
        target = leaf(rows, columns)
        return canonical.take_apart((broadcast(leaf(rows, 1), (rows, columns)),), {0: target})

    variant = generic(written(3, 4), written(5, 6))
    verify(variant.graph)


def test_contraction_labels_unify():
    def program(n, k, m):
        return form(matmul(leaf(n, k), leaf(k, m)))

    variant = generic(program(2, 3, 4), program(5, 6, 7))
    assert len(variant.parameters) == 3


def test_digest_is_stable_and_sees_constants():
    a = canonical.specific(form(leaf(3) * 2.5)).graph
    b = canonical.specific(form(leaf(3) * 2.5)).graph
    c = canonical.specific(form(leaf(3) * -2.5)).graph
    assert canonical.digest(a) == canonical.digest(b) != canonical.digest(c)


def test_long_chains_are_linear_and_not_recursive():
    def program(n):
        x = leaf(n)
        for _ in range(20_000):
            x = x + 1.0
        return form(x)

    apart = program(4)
    assert len(apart.order) == 20_003
    assert len(generic(apart, program(5)).parameters) == 1


def test_sizes_that_have_always_been_the_same_stay():
    first, second = form(leaf(3, 100) * 2.5), form(leaf(7, 100) * 2.5)
    variant = generic(first, second)
    assert len(variant.parameters) == 1
    assert variant.fits(form(leaf(9, 100) * 2.5).facts) and not variant.fits(form(leaf(9, 50) * 2.5).facts)
    everything = canonical.general(form(leaf(9, 50) * 2.5), [first.facts, second.facts])
    assert len(everything.parameters) == 2
