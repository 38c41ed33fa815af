"""What a run has to say about a statement of the paper, and how converged points are read from its datasets."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from fmjax.reproduce.plotting import converged


class Run(NamedTuple):
    """Datasets of figures, and thresholds with ``value``, ``error_estimate`` and ``result``, by name."""

    figures: Mapping[str, xr.Dataset]
    thresholds: Mapping[str, dict[str, Any]]


class Found(NamedTuple):
    """What a run says: the number as printed, whether the statement holds (None: undecided), why, and the error."""

    number: str
    holds: bool | None
    reason: str = ""
    error: str = "–"


class Absent(Exception):
    """The run does not decide; ``number`` is what it has nevertheless."""

    def __init__(self, reason: str, number: str = "–"):
        super().__init__(reason)
        self.number = number


class Curve(NamedTuple):
    """Converged points of a local entropy, in order of distance."""

    distance: np.ndarray
    entropy: np.ndarray
    slope: np.ndarray
    error: np.ndarray

    def falls(self) -> np.ndarray:
        """Distances below that of the maximum at which the slope is negative by more than its error."""
        before = np.arange(len(self.distance)) < self.entropy.argmax()
        return self.distance[before & (self.slope < -self.error)]


def printed_error(value: Any) -> str:
    """The largest of the errors, or a dash."""
    return f"{float(np.max(value)):.0e}" if np.isfinite(value).all() else "–"


def curve_of(part: xr.Dataset, name: str, prefix: str = "") -> Curve:
    """The converged points of one curve, whose variables begin with ``prefix``; fewer than two decide nothing."""
    results = part[f"{prefix}result"]
    good = converged(results)
    if good.sum() < 2:
        reasons = sorted({str(reason) for reason in np.ravel(results.to_numpy())} - {"converged"})
        raise Absent(f"{name} did not converge: {'; '.join(reasons)}")
    return Curve(*(part[prefix + key].to_numpy()[good] for key in ("distance", "entropy", "slope", "error_estimate")))


def phase(run: Run, name: str) -> tuple[float, Curve]:
    """Margin of the reference, and curve, of one phase of figure 3."""
    part = run.figures["3"].sel(phase=name)
    margin = float(part.reference_margin)
    return margin, curve_of(part, f"the curve at κ̃ = {margin:.3g}")


def whole(dataset: xr.Dataset, name: str) -> None:
    """Refuse to judge a grid from which points are missing."""
    missing = int((~converged(dataset[name])).sum())
    if missing:
        raise Absent(f"{missing} points did not converge")
