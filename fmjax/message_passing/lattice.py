"""Which sums of signs there are, and the smallest of them that satisfies a pattern."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Lattice"]

_TINY = 2.0**-126  # the smallest normal number of float32: more than zero


class Lattice(NamedTuple):
    r"""Values ``offset + step * integer`` of a sum that stands for the stability ``Delta = sum / root``.

    Attributes:
        root: the sum at ``Delta = 1``: ``sqrt(N)`` for the sum of all weights of a perceptron.
        step: between two sums; 0 where they may be any real number.
        offset: one of the sums.
        rounding: error of a real sum.
    """

    root: float
    step: int = 0
    offset: int = 0
    rounding: float = 0.0

    def threshold(self, margin: float) -> float:
        """The smallest sum that satisfies a pattern at this margin: at margin 0 a tie, a sum of 0, is an error."""
        least = margin * self.root
        if not self.step:
            return least - self.rounding if margin else max(self.rounding, _TINY)
        # A margin that is meant to lie on the lattice counts as lying there, however it was rounded.
        above = math.ceil(least - 1e-9 * max(1.0, abs(least)))
        threshold = above + (self.offset - above) % self.step
        return float(threshold + self.step if threshold == 0 and margin == 0 else threshold)

    def midpoint(self, margin: float) -> float:
        """Threshold of a Gaussian that stands for the sum: half way between the last error and `threshold`."""
        return self.threshold(margin) - 0.5 * self.step if self.step else margin * self.root
