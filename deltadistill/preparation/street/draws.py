"""Random draws that are the same bits on every machine: integers from PCG64, then one multiply and one add.

`Generator.uniform` and `standard_normal` are compiled C, where a compiler may fuse a multiply with an add;
Python's own float arithmetic is never fused.
"""

from collections.abc import Sequence

import numpy as np

_STEP = 1 / (1 << 53)  # between neighbouring draws of 53 bits
NOISE_STD = 147.8  # standard deviation of the sum of four uniform bytes: sqrt(4 * (256² - 1) / 12)


class Draws:
    """A stream of draws named by a tuple of non-negative integers, e.g. (seed, split, clip)."""

    def __init__(self, *key: int):
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high)."""
        return low + int(self._bits.random_raw()) % (high - low)

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high), with 53 random bits."""
        return low + (high - low) * ((int(self._bits.random_raw()) >> 11) * _STEP)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform(0.0, 1.0) < probability

    def pick(self, choices: Sequence) -> object:
        """One of the choices."""
        return choices[self.integer(0, len(choices))]

    def colour(self, low: float, high: float) -> tuple[float, float, float]:
        """Three independent channels in [low, high)."""
        return self.uniform(low, high), self.uniform(low, high), self.uniform(low, high)

    def bell(self, shape: tuple[int, ...]) -> np.ndarray:
        """Near-normal noise, float32, mean 0, standard deviation 1: sums of four bytes, all integer.

        Cut off at 3.5 standard deviations, which no sensor model needs.
        """
        size = 1
        for extent in shape:
            size *= extent
        words = self._bits.random_raw(2 * -(-size // 4)).astype("<u8", copy=False)
        low_bytes = np.uint64(0x00FF00FF00FF00FF)
        pairs = (words & low_bytes) + ((words >> np.uint64(8)) & low_bytes)
        half = len(words) // 2
        sums = (pairs[:half] + pairs[half:]).view("<u2")[:size]  # each in 0..1020
        return ((sums.astype(np.float32) - np.float32(510)) * np.float32(1 / NOISE_STD)).reshape(shape)


def wave(turns):  # noqa: ANN001, ANN201 - floats and arrays alike
    """A sine-like wave of period 1 and amplitude 1, from two parabolas; within 0.002 of sin(2π·turns)."""
    x = turns - np.floor(turns + 0.5)
    y = 8.0 * x - 16.0 * x * abs(x)
    return 0.225 * (y * abs(y) - y) + y
