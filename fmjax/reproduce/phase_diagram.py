"""The phase diagram in the plane of load and reference margin: kappa_min, kappa_u, kappa_max and alpha'_U."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, threshold
from fmjax.reproduce.plotting import canvas, converged, line, styled
from fmjax.sentences import CONVERGED, NO_POINT

TITLE = "Phases of the local entropy"
CAPTION = (
    "What surrounds a typical solution of margin κ̃ at load α. Above κ_max there are no solutions. Between κ_u and "
    "κ_max the local entropy rises up to its maximum; between κ_min and κ_u it is positive but not monotonic; below "
    "κ_min it is negative at some distance; on the axis κ̃ = 0 the reference is isolated. "
    "κ_u meets κ_max at α′_U, and κ_min soon after; from there on the local entropy is negative at some distance from all."
)


def settings(quick: bool) -> dict[str, Any]:
    """Loads of kappa_max (start, stop, count), and those of kappa_min and kappa_u."""
    # Both lines end between 0.7 and 0.75.
    inner = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.65, 0.7, 0.74, 0.75]
    if not quick:
        inner = [0.005, 0.01, 0.02, 0.03, *np.linspace(0.05, 0.7, 14).round(3).tolist(), 0.725, 0.74, 0.75, 0.8, 0.82]
    return {"loads": [0.005, 0.8330786, 91 if quick else 361], "alpha": inner}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """kappa_max on a fine grid of loads, kappa_min and kappa_u on a coarser one, and alpha'_U."""
    chosen = settings(quick)
    first, capacity, count = chosen["loads"]
    # On its logarithmic axis the line falls ever more steeply from the first load, and to the capacity, where kappa_max = 0.
    ends = np.geomspace(first, 10 * first, 16), capacity - np.geomspace(5e-3, 1e-3, 8)
    loads, alphas = np.unique([*np.linspace(first, capacity, count)[:-1], *np.concatenate(ends)]), chosen["alpha"]
    largest = engine.grid("kappa-max", alpha=loads)
    lines = {name: engine.grid(name.replace("_", "-"), 1, alpha=alphas) for name in ("kappa_min", "kappa_u")}
    end, load = engine.grid("alpha-u"), {"units": "patterns per weight"}
    variables: dict[str, Any] = {
        **threshold(largest, "kappa_max", "fine_alpha", long_name="largest margin of solutions"),
        "alpha_u": ((), float(end.value), load | {"long_name": "alpha'_U"}),
        "alpha_u_error_estimate": ((), float(end.error_estimate), load),
        "alpha_u_margin": ((), float(end.reference_margin), {"units": "1", "long_name": "kappa_max at alpha'_U"}),
        "alpha_u_distance": ((), float(end.distance), {"units": "1", "long_name": "distance of the fold at alpha'_U"}),
        "alpha_u_result": ((), end.result.item()),
    }
    for name, found in lines.items():
        variables |= threshold(found, name, "alpha")
        variables[f"{name}_distance"] = ("alpha", found.distance.to_numpy(), {"units": "1"})
    units = {"units": "patterns per weight", "long_name": "load"}
    return xr.Dataset(variables, coords={"fine_alpha": ("fine_alpha", loads, units), "alpha": ("alpha", alphas, units)})


def _found(dataset: xr.Dataset, name: str, axis: str) -> tuple[np.ndarray, np.ndarray]:
    good = converged(dataset[f"{name}_result"]) & (dataset[name].to_numpy() > 0)
    return dataset[axis].to_numpy()[good], dataset[name].to_numpy()[good]


def _between(at: np.ndarray, found: tuple[np.ndarray, np.ndarray], top: np.ndarray, beyond: float) -> np.ndarray:
    """A line between the points found, at most ``top``; ``beyond`` the last of them, unknown before the first."""
    x, y = found
    if not len(x):
        return np.full_like(at, np.nan)
    values = np.exp(np.interp(at, x, np.log(y), left=np.nan, right=beyond))  # straight on the logarithmic axis
    return np.minimum(values, top)


def draw(dataset: xr.Dataset) -> Figure:
    """Three lines, the phases between them, and the point where kappa_u meets kappa_max."""
    with styled():
        figure, axes = canvas(6.6, 3.5)
        low, high = _found(dataset, "kappa_min", "alpha"), _found(dataset, "kappa_u", "alpha")
        loads, most = _found(dataset, "kappa_max", "fine_alpha")
        floor, ceiling = 0.5 * min(low[1], default=1e-3), 1.5 * max(most, default=1.0)
        end = None
        if str(dataset.alpha_u_result.item()) == CONVERGED:
            end = float(dataset.alpha_u), float(dataset.alpha_u_margin)
            high = np.append(high[0], end[0]), np.append(high[1], end[1])
        if len(loads):
            grid = np.unique(np.concatenate([loads, low[0], high[0]]))
            top = np.interp(grid, loads, most)
            middle = _between(grid, high, top, np.nan if end is None else np.inf)
            ends = np.ravel(dataset.kappa_min_result.to_numpy())[-1] == NO_POINT  # it has met kappa_max
            bottom = _between(grid, low, top, np.inf if ends else np.nan)
            axes.fill_between(grid, middle, top, color="#009E73", alpha=0.28, linewidth=0, label="monotonic")
            axes.fill_between(grid, bottom, middle, color="#E69F00", alpha=0.25, linewidth=0, label="not monotonic")
            axes.fill_between(
                grid, floor, bottom, color="#CC79A7", alpha=0.25, linewidth=0, label="negative at some distance"
            )
        line(axes, dataset.fine_alpha, dataset.kappa_max, dataset.kappa_max_result, color="0.1", label=r"$\kappa_{\max}$")
        axes.plot(*high, color="#009E73", label=r"$\kappa_u$")
        axes.plot(*low, color="#CC79A7", label=r"$\kappa_{\min}$")
        if end is not None:
            axes.plot(*end, "o", color="k", zorder=4)
            text = rf"$\alpha'_U={end[0]:.4f}$"
            axes.annotate(text, end, xytext=(6, 8), textcoords="offset points", fontsize=8)
        axes.text(0.62, 1.0, "no solutions", color="0.3")
        axes.set(xlabel=r"load $\alpha$", ylabel=r"margin of the reference $\tilde\kappa$", yscale="log")
        axes.set(xlim=(float(dataset.alpha.min()), 0.85), ylim=(floor, ceiling))
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), title=r"$\phi(d)$ below its maximum", alignment="left")
    return figure
