"""Numbers of a turn that one side of a branch needs are computed there (backends/sinking.py)."""

import numpy as np

import lazynp
from lazynp.backends.sinking import sunk
from lazynp.debug.explain import show


def test_what_moves():
    declared = ["const int64_t n1 = n0 + 1;", "const int64_t n2 = lz_floor_divide_i64(9, n1);", "const int64_t n3 = t1[0];"]
    lines = ["{", "if (t0[0]) {", "for (;;) {", "f(n2);", "}", "f(n3);", "} else {", "f(n0);", "}", "}"]
    assert sunk(declared, lines) == [declared[2], "{", "if (t0[0]) {", *declared[:2], *lines[2:]], "what is read from memory stays"


def test_what_stays():
    declared = ["const int64_t n1 = n0 + 1;"]
    for lines in (
        ["if (t0[0]) {", "f(n1);", "} else {", "f(n1);", "}"],
        ["for (;;) {", "if (t0[0]) {", "f(n1);", "}", "}"],
        ["if (n1) {", "f(n0);", "}"],
        ["dim[3] = n1;", "if (t0[0]) {", "f(n1);", "}"],
        ["if (t0[0]) {", "f(n11);", "}"],
    ):
        assert sunk(declared, lines) == [*declared, *lines]


def totients(n):
    phi = np.arange(n + 1)
    for i in range(2, n + 1):
        if phi[i] == i:
            for j in range(i, n + 1, i):
                phi[j] -= phi[j] // i
        elif i % 7 == 0:
            for j in range(0, n, i):
                phi[j] += 1
    return phi


def test_how_often_a_loop_in_a_branch_goes_round():
    np.testing.assert_array_equal(lazynp.jit(totients, strict=True)(500), totients(500))
    lines = [line.strip() for line in show(totients, 500, stage="c").splitlines()]
    division = next(k for k, line in enumerate(lines) if line.startswith("const int64_t n") and "lz_floor_divide" in line)
    assert any(line.startswith("if (t") for line in lines[division - 5 : division])
