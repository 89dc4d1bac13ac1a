"""Stars that attract each other: kick-drift-kick with softened forces."""

import sys

import numpy as np

n, steps = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (500, 10)
rng = np.random.default_rng(17)
mass = 20.0 * np.ones((n, 1)) / n
position, velocity = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
velocity -= np.mean(mass * velocity, 0) / np.mean(mass)


def acceleration(position):
    x, y, z = position[:, 0:1], position[:, 1:2], position[:, 2:3]
    dx, dy, dz = x.T - x, y.T - y, z.T - z
    inverse = (dx**2 + dy**2 + dz**2 + 0.01) ** (-1.5)
    return np.hstack(((dx * inverse) @ mass, (dy * inverse) @ mass, (dz * inverse) @ mass))


dt, a = 0.01, acceleration(position)
for _ in range(steps):
    velocity += a * dt / 2
    position += velocity * dt
    a = acceleration(position)
    velocity += a * dt / 2
print(f"kinetic energy {0.5 * np.sum(mass * velocity**2):.9f}")
