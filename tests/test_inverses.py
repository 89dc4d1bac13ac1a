"""inv(a) @ b is solved, not inverted, where the inverse serves nothing else."""

import numpy
import pytest

import lazynp
import lazynp as np

rng = numpy.random.default_rng(0)
A, B, V = rng.normal(size=(4, 4)) + 4 * numpy.eye(4), rng.normal(size=(4, 3)), rng.normal(size=4)
STACK = rng.normal(size=(2, 4, 4)) + 4 * numpy.eye(4)
C = A + 1j * A.T

PRODUCTS = [
    ("matrix", lambda np, a, b: np.linalg.inv(a) @ b, (A, B)),
    ("vector", lambda np, a, b: np.linalg.inv(a) @ b, (A, V)),
    ("from the left", lambda np, a, b: b @ np.linalg.inv(a), (A, V)),
    ("complex from the left", lambda np, a, b: b.T @ np.linalg.inv(a), (C, B)),
    ("transposed", lambda np, a, b: np.linalg.inv(a).T @ b, (C, B)),
    ("stack", lambda np, a, b: np.linalg.inv(a) @ b, (STACK, B[None] * numpy.ones((2, 1, 1)))),
    ("several axes", lambda np, a, b: np.einsum("ij,kjl->lik", np.linalg.inv(a), b), (A, rng.normal(size=(2, 4, 3)))),
    ("both sides", lambda np, a, b: b @ np.linalg.inv(a) @ b, (A, V)),
]


@pytest.mark.parametrize(("name", "product", "args"), PRODUCTS, ids=[p[0] for p in PRODUCTS])
def test_products_are_solutions(name, product, args):
    def f(a, b):
        return product(np, a, b)

    assert "inv(" not in lazynp.show(f, *args)
    numpy.testing.assert_allclose(lazynp.jit(f)(*args), product(numpy, *args), rtol=1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: (np.linalg.inv(a) @ b, np.linalg.inv(a)),
        lambda a, b: np.linalg.inv(a) * b[:, :1],
        lambda a, b: [np.linalg.inv(a) @ (b + k) for k in range(3)],
        lambda a, b: np.einsum("bij,bj->i", np.linalg.inv(a[None] * np.ones((2, 1, 1))), b[None, :, 0] * np.ones((2, 1))),
    ],
)
def test_an_inverse_that_serves_something_else_is_kept(f):
    assert "inv(" in lazynp.show(f, A, B)


def test_an_inverse_that_serves_many_sides_is_kept():
    sides = rng.normal(size=(4, 17))
    assert "inv(" in lazynp.show(lambda a, b: np.linalg.inv(a) @ b, A, sides)
    assert "inv(" not in lazynp.show(lambda a, b: np.linalg.inv(a) @ b, A, sides[:, :16])


def test_the_exact_level_inverts():
    with lazynp.config(level="exact"):
        assert "inv(" in lazynp.show(lambda a, b: np.linalg.inv(a) @ b, A, B)
