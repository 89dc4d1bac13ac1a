"""Great-circle distances between many cities; the nearest neighbour of each."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 900
rng = np.random.default_rng(40)
lat, lon = np.radians(rng.uniform(-60, 60, n)), np.radians(rng.uniform(-180, 180, n))
half = np.sin((lat[:, None] - lat) / 2) ** 2 + np.cos(lat[:, None]) * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
distance = 2 * 6371 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
np.fill_diagonal(distance, np.inf)
nearest = distance.argmin(axis=1)
print(f"closest pair {distance.min():.6f} km, mean to the nearest {distance.min(axis=1).mean():.6f} km", nearest[:5])
