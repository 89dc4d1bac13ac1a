"""Histogram equalisation and thresholding (Otsu 1979) of a gray picture."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
rng = np.random.default_rng(9)
y, x = np.mgrid[0:n, 0:n] / n
picture = (200 * np.exp(-((x - 0.5) ** 2 + (y - 0.4) ** 2) * 6) + 30 * rng.random((n, n))).astype(np.uint8)
counts = np.bincount(picture.ravel(), minlength=256)
cdf = counts.cumsum()
table = np.round(255 * (cdf - cdf.min()) / (cdf[-1] - cdf.min())).astype(np.uint8)
equal = table[picture]
p = np.bincount(equal.ravel(), minlength=256) / equal.size
omega, mu = p.cumsum(), (p * np.arange(256)).cumsum()
with np.errstate(divide="ignore", invalid="ignore"):
    between = (mu[-1] * omega - mu) ** 2 / (omega * (1 - omega))
threshold = int(np.nanargmax(between))
print("threshold", threshold, "foreground", int((equal > threshold).sum()))
