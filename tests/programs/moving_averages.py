"""Indicators of a price series: moving averages, bands, momentum, drawdown."""

import sys

import numpy as np

N = int(sys.argv[1]) if sys.argv[1:] else 2_000_000

rng = np.random.default_rng(24)
price = 100 * np.exp(np.cumsum(0.0002 * rng.standard_normal(N)))


def average(x, n):
    total = np.cumsum(x)
    return (total[n:] - total[:-n]) / n


short, long = average(price, 20)[80:], average(price, 100)
deviation = np.sqrt(np.maximum(average(price**2, 100) - long**2, 0))
upper, lower = long + 2 * deviation, long - 2 * deviation
inside = np.mean((price[100:] < upper + 1e-6) & (price[100:] > lower - 1e-6))
returns = np.diff(np.log(price))
sharpe = returns.mean() / returns.std() * np.sqrt(252)
drawdown = np.max(1 - price / np.maximum.accumulate(price))
trend = np.mean(short - long)
print("inside the bands", inside, "ratio", sharpe, "drawdown", drawdown)
