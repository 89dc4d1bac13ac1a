"""Maximum likelihood with SciPy's L-BFGS-B and lazynp's gradient: how long machines last, when many still run.

Weibull regression with censored data: machine i under load x[i] fails at a time whose scale is exp(a + b*x[i]) and whose shape is k; what
still runs at the end of the study has only shown that it lives longer. Parameters in a flat array: theta = (a, b, log k).
Without lazynp the program uses the gradient worked out by hand.
"""

import numpy as np
from scipy.optimize import minimize

try:
    import lazynp
except ImportError:
    lazynp = None

TRUE = np.array([1.5, -0.8, 0.4])


def study(n):
    """load, observed time and whether the machine failed: three arrays (n,)."""
    rng = np.random.default_rng(1)
    load = rng.uniform(-1, 1, n)
    lifetime = np.exp(TRUE[0] + TRUE[1] * load) * rng.exponential(1, n) ** np.exp(-TRUE[2])
    return load, np.minimum(lifetime, 6.0), (lifetime < 6.0).astype(float)


load, observed, failed = study(20_000)


def negative_log_likelihood(theta):
    """Mean over the machines. theta: (3,)"""
    z = np.log(observed) - theta[0] - theta[1] * load
    k = np.exp(theta[2])
    return np.mean(np.exp(k * z) - failed * (theta[2] + k * z))


def gradient_by_hand(theta):
    z = np.log(observed) - theta[0] - theta[1] * load
    k = np.exp(theta[2])
    slope = k * (np.exp(k * z) - failed)
    return np.array([-np.mean(slope), -np.mean(slope * load), np.mean(slope * z - failed)])


if lazynp:
    gradient = lazynp.grad(negative_log_likelihood)
    value_and_gradient = lazynp.value_and_grad(negative_log_likelihood)
else:
    gradient = gradient_by_hand

    def value_and_gradient(theta):
        return negative_log_likelihood(theta), gradient_by_hand(theta)


def fit(objective, jac):
    """The parameters (3,) at the maximum, and the value there."""
    found = minimize(objective, np.zeros(3), jac=jac, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    return found.x, found.fun


theta, value = fit(negative_log_likelihood, gradient)
theta_again, value_again = fit(value_and_gradient, True)

print("true parameters     ", TRUE)
print("jac=grad(f)         ", np.round(theta, 4), f" at {float(value):.8f}")
print("jac=True            ", np.round(theta_again, 4), f" at {float(value_again):.8f}")
