"""Reassociation and cancellation: right for real numbers, not for the last digits, infinities or NaN. Only at level "fast"."""

import numpy as np

from lazynp.ir.node import Node
from lazynp.ir.rewrite import Rules, Var, is_constant, real_float, scalar_value
from lazynp.ops.elementwise import add, divide, exp, filled, log, multiply, power, reciprocal, sqrt, square, subtract
from lazynp.ops.reduction import reduce_add

fast = Rules("fast", level="fast")

x = Var("x", real_float)
y = Var("y", real_float)
z = Var("z", real_float)
a = Var("a", lambda n: real_float(n) and is_constant(n))
b = Var("b", lambda n: real_float(n) and is_constant(n))
axes = Var("axes")


@fast(x + 0)
def plus_zero(x):
    """Turns -0.0 into -0.0 instead of 0.0."""
    return x


@fast(x * 0)
def times_zero(x):
    """inf * 0 is NaN."""
    return filled(x.shape, 0, x.dtype)


@fast(x - x)
def minus_itself(x):
    """inf - inf is NaN."""
    return filled(x.shape, 0, x.dtype)


@fast(x / x)
def over_itself(x):
    """0/0 and inf/inf are NaN."""
    return filled(x.shape, 1, x.dtype)


@fast((x + y) - y)
def added_and_subtracted(x):
    """The digits of x below y's last are kept instead of lost."""
    return x


@fast((x * y) / y)
def multiplied_and_divided(x):
    """y = 0 gives NaN."""
    return x


@fast((x + a) + b, when=lambda x: not is_constant(x))
def constants_added(x, a, b):
    """The constants are added while compiling."""
    return x + (a + b)


@fast((x * a) * b, when=lambda x: not is_constant(x))
def constants_multiplied(x, a, b):
    """The constants are multiplied while compiling."""
    return x * (a * b)


@fast(divide(x, a))
def times_inverse(x, a):
    """A multiplication instead of a division: 1/c is rounded."""
    value = scalar_value(a)
    return None if value == 0 or not np.isfinite(value) else x * filled(x.shape, a.dtype.type(1) / value, a.dtype)


@fast(exp(x) * exp(y))
def exp_of_sum(x, y):
    """One exponential instead of two."""
    return exp(x + y)


@fast(exp(x) / exp(y))
def exp_of_difference(x, y):
    """One exponential instead of two."""
    return exp(x - y)


@fast(add(x * y, x * z))
def common_factor(x, y, z):
    """One multiplication instead of two."""
    return x * (y + z)


@fast(subtract(x * y, x * z))
def common_factor_of_difference(x, y, z):
    """One multiplication instead of two."""
    return x * (y - z)


@fast(square(sqrt(x)))
def square_of_root(x):
    """Negative x give NaN."""
    return x


@fast(log(sqrt(x)))
def log_of_root(x):
    """A multiplication instead of a root."""
    return 0.5 * log(x)


@fast.on(power)
def squarings(node: Node) -> Node | None:
    """x**n for whole and half n up to 64 by squaring and a root: half an ulp per multiplication. -inf gives NaN for half n."""
    x, exponent = node.args
    value = scalar_value(exponent)
    if value is None or x.dtype.kind != "f" or not 0 < abs(value) <= 64 or 2 * value != int(2 * value):
        return None
    whole, half = divmod(int(abs(2 * value)), 2)
    factors = ([_whole_power(x, whole)] if whole else []) + ([sqrt(x)] if half else [])
    product = factors[0] if len(factors) == 1 else multiply(*factors)
    return reciprocal(product) if value < 0 else product


def _whole_power(x: Node, n: int) -> Node:
    result = None
    while n:
        if n & 1:
            result = x if result is None else multiply(result, x)
        n >>= 1
        x = square(x) if n else x
    assert result is not None
    return result


@fast(reduce_add(x * a, axes=axes))
def factor_of_sum(x, a, axes):
    """The constant factor is applied to the sum."""
    total = reduce_add(x, axes)
    return total * filled(total.shape, scalar_value(a), a.dtype)
