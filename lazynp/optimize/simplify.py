"""Exact identities: arithmetic with neutral elements, casts, selections. Each holds bit for bit (NaN's payload aside), -0.0 included."""

import numpy as np

from lazynp.ir.node import Node, constant
from lazynp.ir.rewrite import Rules, Var, boolean, integer, real, real_float, scalar_value
from lazynp.ops import elementwise as ew
from lazynp.ops.elementwise import (
    absolute,
    add,
    bitwise_and,
    bitwise_or,
    broadcast,
    cast,
    conjugate,
    divide,
    equal,
    exp,
    fabs,
    filled,
    imag,
    logical_and,
    logical_not,
    logical_or,
    make_complex,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    positive,
    power,
    reciprocal,
    sqrt,
    square,
    stop_gradient,
    subtract,
    trunc,
    where,
)
from lazynp.ops.movement import reshape

simplify = Rules("simplify", level="exact")
undetach = Rules("undetach", level="exact")

x = Var("x", real)
y = Var("y", real)
f = Var("f", real_float)
i = Var("i", integer)
b = Var("b", boolean)
t = Var("t", boolean)
any_ = Var("any_")
other = Var("other")
signed = Var("signed", lambda n: n.type.dtype.kind in "fi")
number = Var("number", lambda n: n.type.dtype.kind in "fiuc")
uncomplex = Var("uncomplex", lambda n: n.type.dtype.kind != "c")


def _is_power_of_two(node: Node) -> bool:
    value = scalar_value(node) if real_float(node) else None
    if value is None or not np.isfinite(value) or np.frexp(value)[0] not in (0.5, -0.5):
        return False
    limits = np.finfo(node.dtype)
    return bool(1 / float(limits.max) < abs(value) <= 1 / float(limits.tiny))


power_of_two = Var("power_of_two", _is_power_of_two)

# --- neutral elements ------------------------------------------------------------------------------------------------


@simplify(x * 1)
def without_one(x):
    """x*1 is x for every real x; not for complex ones (inf * (1+0j) has a NaN)."""
    return x


@simplify(multiply(b, True))
def without_true(b):
    """Multiplication of booleans is logical and."""
    return b


@simplify(f / 1)
def divided_by_one(f):
    """x/1 is x."""
    return f


@simplify(x - 0)
def minus_zero(x):
    """x - 0.0 is x, also for x = -0.0 (x + 0.0 is not: it turns -0.0 into 0.0)."""
    return x


@simplify(f + (-0.0))
def plus_negative_zero(f):
    """-0.0 is the neutral element of IEEE addition."""
    return f


@simplify(i + 0)
def plus_zero(i):
    """Integers have one zero."""
    return i


@simplify(i * 0)
def times_zero(i):
    """0 for every integer; floats have inf * 0 = NaN."""
    return filled(i.shape, 0, i.dtype)


@simplify(i - i)
def minus_itself(i):
    """0 for every integer; floats have inf - inf = NaN."""
    return filled(i.shape, 0, i.dtype)


# --- signs -----------------------------------------------------------------------------------------------------------


@simplify(negative(negative(number)))
def double_negative(number):
    """-(-x) is x."""
    return number


@simplify(signed * -1)
def negated(signed):
    """x*(-1) is -x."""
    return negative(signed)


@simplify(signed / -1, when=lambda signed: signed.dtype.kind == "f")
def negated_quotient(signed):
    """x/(-1) is -x."""
    return negative(signed)


@simplify(number - negative(other))
def minus_negative(number, other):
    """x - (-y) is x + y: IEEE subtraction is defined as this addition."""
    return number + other


@simplify(number + negative(other))
def plus_negative(number, other):
    """x + (-y) is x - y."""
    return number - other


@simplify(negative(x) * negative(y), when=lambda x: x.dtype.kind in "fi")
def product_of_negatives(x, y):
    """(-x)*(-y) is x*y: the sign of a product is exact."""
    return x * y


@simplify(negative(x) / negative(y), when=lambda x: x.dtype.kind == "f")
def quotient_of_negatives(x, y):
    """(-x)/(-y) is x/y."""
    return x / y


@simplify(x * negative(y))
def negated_product(x, y):
    """x*(-y) is -(x*y): the sign goes where a sum can take it."""
    return negative(x * y)


@simplify(negative(x) / y, when=lambda x: x.dtype.kind == "f")
def negated_dividend(x, y):
    """(-x)/y is -(x/y)."""
    return negative(x / y)


@simplify(absolute(negative(signed)))
def absolute_of_negative(signed):
    """|-x| is |x|."""
    return absolute(signed)


@simplify(absolute(absolute(x)))
def absolute_twice(x):
    """||x|| is |x|."""
    return absolute(x)


@simplify(fabs(f))
def absolute_of_float(f):
    """fabs is abs for real floats: one name, one node."""
    return absolute(f)


@simplify(square(negative(x)))
def square_of_negative(x):
    """(-x)**2 is x**2."""
    return square(x)


@simplify(square(absolute(x)))
def square_of_absolute(x):
    """|x|**2 is x**2 for real x."""
    return square(x)


@simplify(x * x)
def square_of(x):
    """x*x is square(x): one name, one node."""
    return square(x)


# --- powers ----------------------------------------------------------------------------------------------------------


@simplify(power(number, 1))
def first_power(number):
    """x**1 is x."""
    return number


@simplify(power(x, 2))
def second_power(x):
    """NumPy computes x**2 as square(x) itself."""
    return square(x)


@simplify.on(power)
def second_complex_power(node: Node) -> Node | None:
    """NumPy computes z**2 as square(z) itself."""
    return square(node.args[0]) if node.dtype.kind == "c" and scalar_value(node.args[1]) == 2 else None


@simplify(power(f, 0.5))
def half_power(f):
    """NumPy computes x**0.5 as sqrt(x) itself (fast_scalar_power in its number.c)."""
    return sqrt(f)


@simplify(power(f, -1))
def inverse_power(f):
    """NumPy computes x**-1 as reciprocal(x) itself."""
    return reciprocal(f)


@simplify(power(f, 0))
def zeroth_power(f):
    """x**0 is 1, also for NaN (C99 F.9.4.4)."""
    return filled(f.shape, 1, f.dtype)


@simplify(power(i, 3))
def third_power(i):
    """Integer powers wrap modulo 2**n, so do products."""
    return square(i) * i


@simplify(1 / f)
def reciprocal_of(f):
    """1/x is reciprocal(x): one name, one node."""
    return reciprocal(f)


@simplify(divide(f, power_of_two))
def times_inverse(f, power_of_two):
    """x/c is x*(1/c), bit for bit, when c is a power of two whose inverse is normal."""
    inverse = power_of_two.dtype.type(1) / scalar_value(power_of_two)
    return f * filled(f.shape, inverse, f.dtype)


# --- copies, conversions ---------------------------------------------------------------------------------------------


@simplify(positive(any_))
def without_plus(any_):
    """+x is x."""
    return any_


@simplify(conjugate(uncomplex))
def conjugate_of_real(uncomplex):
    """A real number is its own conjugate."""
    return uncomplex


@simplify(conjugate(conjugate(any_)))
def conjugate_twice(any_):
    """conj(conj(z)) is z."""
    return any_


@simplify(ew.real(make_complex(x, y)))
def real_part(x):
    """The part that was put in."""
    return x


@simplify(imag(make_complex(x, y)))
def imaginary_part(y):
    """The part that was put in."""
    return y


@simplify(make_complex(ew.real(any_), imag(any_)))
def reassembled(any_):
    """A number made of its own parts."""
    return any_ if any_.dtype.kind == "c" else None


def _is_real(node: Node) -> bool:
    """Whether a complex number certainly has an imaginary part of zero."""
    value = scalar_value(node)
    return value.imag == 0 if value is not None else node.op is cast and node.args[0].dtype.kind != "c"


def _is_imaginary(node: Node) -> bool:
    """Whether a complex number certainly has a real part of zero, or else parts that are no finite numbers."""
    while True:
        value = scalar_value(node)
        if value is not None:
            return bool(value.real == 0)
        if node.op in (negative, broadcast, reshape) or (node.op is divide and _is_real(node.args[1])):
            node = node.args[0]
        elif node.op is multiply and any(map(_is_real, node.args)):
            node = node.args[1] if _is_real(node.args[0]) else node.args[0]
        else:
            return False


@simplify.on(exp)
def on_the_circle(node: Node) -> Node | None:
    """exp(iy) is cos(y) + i sin(y), also for zeros, infinities and NaN (C99 G.6.3.1), and sines become vectors: a million phases as in
    np.exp(-2j * np.pi * k / n)."""
    z = node.args[0]
    return make_complex(ew.cos(imag(z)), ew.sin(imag(z))) if z.dtype.kind == "c" and _is_imaginary(z) else None


@simplify.on(cast)
def fewer_casts(node):
    """A cast to the same dtype is nothing; a cast that loses nothing can be skipped by the next one; integers need no truncation first."""
    source = node.args[0]
    if source.dtype == node.to:
        return source
    if source.op is trunc and node.to.kind in "iu":
        return cast(source.args[0], node.to)
    if source.op is not cast:
        return None
    first = source.args[0]
    if first.dtype in _FLOATS and source.dtype in _INTEGERS and node.to.kind == "f":
        return cast(_through_integers(first, source.dtype), node.to)
    if not lossless(first.dtype, source.dtype) or (first.dtype.kind in "fc" and node.to.kind in "iu"):
        return None
    return cast(first, node.to)


_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_INTEGERS = (np.dtype(np.int32), np.dtype(np.int64))


def _through_integers(x: Node, integers: np.dtype) -> Node:
    """x.astype(integers) as a float: gcc takes the two conversions for trunc(x), which keeps the sign of zero and what is out of range.
    What is out of range is infinite when scaled, and infinity minus infinity raises the flag that the conversion would have raised."""
    limit = np.array(-float(np.iinfo(integers).min), x.dtype)
    scaled = ew.multiply(x, constant(np.ldexp(np.ones((), x.dtype), np.finfo(x.dtype).maxexp - integers.itemsize * 8 + 1)))
    inside = ew.add(trunc(x), ew.subtract(scaled, scaled))
    return where(ew.less(ew.absolute(x), constant(limit)), ew.kept(inside), constant(-limit))


def lossless(source: np.dtype, to: np.dtype) -> bool:
    """Whether every value of one dtype is a value of the other (NumPy's "safe" lets int64 lose digits in float64)."""
    if source == to or source.kind == "b":
        return True
    if source.kind in "iu" and to.kind in "fc":
        digits = 8 * source.itemsize - (source.kind == "i")
        return bool(digits <= np.finfo(to).nmant + 1)
    return np.can_cast(source, to, "safe")


# --- selections ------------------------------------------------------------------------------------------------------


@simplify(where(any_, other, other))
def either_way(other):
    """Both branches are one value."""
    return other


@simplify.on(where)
def known_condition(node):
    """A constant condition decides."""
    value = scalar_value(node.args[0])
    return None if value is None else node.args[1 if value else 2]


@simplify(where(logical_not(b), any_, other))
def swapped_branches(b, any_, other):
    """where(not c, x, y) is where(c, y, x)."""
    return where(b, other, any_)


@simplify(where(b, where(b, any_, other), number))
def same_condition_first(b, any_, other, number):
    """Under c, where(c, x, y) is x."""
    return where(b, any_, number)


@simplify(where(b, any_, where(b, other, number)))
def same_condition_second(b, any_, other, number):
    """Under not c, where(c, x, y) is y."""
    return where(b, any_, number)


@simplify(where(b, False, t))
def both_not(b, t):
    """A truth value that another one clears."""
    return logical_and(logical_not(b), t)


@simplify(where(b, True, t))
def one_of(b, t):
    """A truth value that another one sets."""
    return logical_or(b, t)


@simplify(where(b, t, False))
def both(b, t):
    """The same, the other way round."""
    return logical_and(b, t)


@simplify(where(b, t, True))
def one_not(b, t):
    """The same, the other way round."""
    return logical_or(logical_not(b), t)


@simplify.on(maximum, minimum, ew.fmax, ew.fmin, bitwise_and, bitwise_or, logical_and, logical_or)
def same_operands(node: Node) -> Node | None:
    """maximum(x, x), x & x, ... are x."""
    first, second = node.args
    return first if first is second and first.type == node.type else None


@simplify(exp(where(b, 0, f)))
def exponential_of_choice(b, f):
    """exp(0) is 1: the exponential meets what is chosen (derivatives of log-sum-exp guard their infinities so)."""
    return where(b, 1, exp(f))


@simplify(logical_not(logical_not(b)))
def double_not(b):
    """not not b is b."""
    return b


@simplify(logical_not(equal(any_, other)))
def not_equal_of(any_, other):
    """Right with NaN too: it equals nothing. (not (x < y) is no comparison, for NaN.)"""
    return not_equal(any_, other)


@simplify(logical_not(not_equal(any_, other)))
def equal_of(any_, other):
    """The inverse."""
    return equal(any_, other)


@simplify(not_equal(b, False))
def truth_of(b):
    """A boolean is its own truth value."""
    return b


@simplify(add(subtract(number, other), other), when=lambda number: number.dtype.kind in "iu")
def back_and_forth(number):
    """(n - k) + k is n for integers, wrapped or not."""
    return number


# --- markers for derivatives -----------------------------------------------------------------------------------------


@undetach(stop_gradient(any_))
def detached(any_):
    """stop_gradient(x) is x for every value; it has done its work when the program is compiled, so not before derivatives."""
    return any_
