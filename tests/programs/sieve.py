"""Primes by the sieve, their gaps and twins."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
prime = np.ones(n + 1, dtype=bool)
prime[:2] = False
for k in range(2, int(n**0.5) + 1):
    if prime[k]:
        prime[k * k :: k] = False
primes = np.flatnonzero(prime)
gaps = np.diff(primes)
print(len(primes), "primes, last", primes[-1], "longest gap", gaps.max(), "twins", np.sum(gaps == 2))
