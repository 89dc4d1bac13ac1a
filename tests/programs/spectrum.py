"""The spectrum of a noisy signal: windows, Fourier transforms, averages (Welch 1967)."""

import sys

import numpy as np

n = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
rng = np.random.default_rng(30)
rate = 1000.0
t = np.arange(n) / rate
signal = np.sin(2 * np.pi * 50 * t) + 0.5 * np.sin(2 * np.pi * 120 * t) + rng.normal(size=n)
size = 1024
frames = np.lib.stride_tricks.sliding_window_view(signal, size)[:: size // 2]
window = np.hanning(size)
power = (np.abs(np.fft.rfft(frames * window, axis=1)) ** 2).mean(axis=0) / (rate * np.sum(window**2))
frequency = np.fft.rfftfreq(size, 1 / rate)
peaks = frequency[np.argsort(power)[-2:]]
print("peaks", np.sort(peaks), f"floor {np.median(power):.9e}")
