"""What all figures share: the style, and lines that show converged points only."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import CubicHermiteSpline

from fmjax.sentences import CONVERGED

_PER_INTERVAL = 12


@contextmanager
def styled() -> Iterator[None]:
    """The style of the figures, for drawing and for saving."""
    source = resources.files("fmjax.reproduce") / "fmjax.mplstyle"
    with resources.as_file(source) as path, matplotlib.style.context(["default", str(path)]):
        yield


def canvas(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    """A figure, sizes in inches, and its axes: an array of them for several columns."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def shades(count: int) -> list[Any]:
    """Colours for ordered curves: viridis without its palest end, readable in grey."""
    return list(mpl.colormaps["viridis"](np.linspace(0.0, 0.88, count)))


def each(dataset: xr.Dataset, dimension: str) -> Iterator[tuple[Any, xr.Dataset]]:
    """Every curve along ``dimension``, in order, with its colour."""
    for index, color in enumerate(shades(dataset.sizes[dimension])):
        yield color, dataset.isel({dimension: index})


def converged(results: Any) -> np.ndarray:
    """Which points may be drawn."""
    return np.asarray(np.asarray(results) == CONVERGED)


def line(axes: Axes, x: Any, y: Any, results: Any, **style: Any) -> None:
    """A line through the converged points; it breaks where a point did not converge."""
    shown = np.where(converged(results), np.asarray(y, dtype=float), np.nan)
    axes.plot(np.asarray(x, dtype=float), shown, **style)


def mark_unstable(axes: Axes, x: Any, y: Any, replicon: Any, results: Any, color: Any) -> None:
    """A pale band under the part of a line where its replicon is negative."""
    shown = converged(results) & (np.asarray(replicon, dtype=float) < 0)
    if not shown.any():
        return
    style = {"linewidth": 6.0, "alpha": 0.3, "solid_capstyle": "butt", "zorder": 1.5}
    axes.plot(np.asarray(x, dtype=float), np.where(shown, np.asarray(y, dtype=float), np.nan), color=color, **style)


def smooth_line(axes: Axes, x: Any, y: Any, slope: Any, results: Any, **style: Any) -> None:
    """As `line`, with the computed slopes: a cubic between neighbours, nothing across a point that is missing."""
    x, y, slope = (np.asarray(values, dtype=float) for values in (x, y, slope))
    good = converged(results) & np.isfinite(y) & np.isfinite(slope)
    xs, ys = [], []
    for run in np.split(np.arange(len(x)), np.flatnonzero(np.diff(good.astype(int))) + 1):
        if not good[run[0]]:
            continue
        if len(run) == 1:
            fine, values = x[run], y[run]
        else:
            step = np.linspace(0.0, len(run) - 1.0, (len(run) - 1) * _PER_INTERVAL + 1)
            fine = np.interp(step, np.arange(len(run)), x[run])
            values = CubicHermiteSpline(x[run], y[run], slope[run])(fine)
        xs += [fine, [np.nan]]
        ys += [values, [np.nan]]
    axes.plot(*(np.concatenate(parts[:-1]) if parts else [] for parts in (xs, ys)), **style)


def binary_entropy(distance: Any) -> np.ndarray:
    """``-d ln d - (1-d) ln(1-d)``: all configurations at that distance."""
    d = np.asarray(distance, dtype=float)
    return -d * np.log(d) - (1.0 - d) * np.log1p(-d)


def letter(axes: Axes, text: str) -> None:
    """Name a panel, above its upper left corner."""
    axes.set_title(text, loc="left", fontweight="bold")
