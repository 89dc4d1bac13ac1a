"""The table of hostile programs, and the arrays that most of them take."""

import numpy as np

CASES = {}


def case(*arguments):
    """Enter a function; each element of `arguments` is a tuple of its arguments."""

    def enter(function):
        assert function.__name__ not in CASES, function.__name__
        CASES[function.__name__] = function, arguments
        return function

    return enter


x6 = np.array([0.5, -1.0, 2.0, 3.5, -0.25, 1.0])
x12 = np.linspace(-1, 2, 12)
i6 = np.array([3, 1, 2, 1, 4, 2])
m45 = np.arange(20.0).reshape(4, 5) - 7
