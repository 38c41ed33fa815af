"""Dense regions: entropy of infinitely many replicas around their centre, against that around a typical solution."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import fmjax
from fmjax.reproduce.franz_parisi import curve_variables, distances
from fmjax.reproduce.plotting import canvas, each, letter, line, styled
from fmjax.reproduce.solving import Progress, curves, kappa_max, silent

TITLE = "Robust ensemble and typical references"
CAPTION = (
    "Left, solid: entropy per replica of infinitely many solutions at mutual overlap q₁, against the distance (1 − √q₁)/2 "
    "from their centre. Dashed: replica-symmetric Franz–Parisi entropy around a typical solution of margin κ_max at the "
    "same load. Right: derivative of the solid curves with respect to the mutual distance (1 − q₁)/2. They are monotonic "
    "up to α = 0.7553 and nowhere negative up to α = 0.8142; the dashed ones are monotonic up to α′_U = 0.7290."
)

_SMALLEST = 0.006  # mutual distance; closer, the patterns constrain nothing and Newton loses the branch


def settings(quick: bool) -> dict[str, Any]:
    """Loads, the number of mutual distances, and the distances of figure 3."""
    return {"alpha": [0.70, 0.74, 0.76, 0.80, 0.82], "points": 41 if quick else 121, "distance": distances(quick).tolist()}


def compute(quick: bool, progress: Progress = silent) -> xr.Dataset:
    """Both entropies at several loads."""
    chosen = settings(quick)
    alphas = np.array(chosen["alpha"])
    (largest,) = [kappa_max(alphas) for _ in progress(range(1), "kappa_max")]
    around = curves(alphas, largest["value"], np.array(chosen["distance"]), progress)
    perceptron = fmjax.Perceptron(margin=jnp.asarray(0.0, dtype=float))
    ensemble = fmjax.RobustEnsemble(perceptron, np.inf)
    apart, found = [], []
    for alpha in progress(alphas, "robust ensemble"):
        typical = fmjax.solve(fmjax.Equilibrium(perceptron), alpha=alpha)
        apart.append(np.geomspace(_SMALLEST, 0.98 * float(typical.distance), chosen["points"]))
        found.append(fmjax.curve(ensemble, alpha=alpha, distance=apart[-1]))
    mutual = np.stack(apart)
    grid = ("alpha", "point")

    def stacked(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(row, name)) for row in found])

    return xr.Dataset(
        curve_variables(around, "alpha")
        | {
            "mutual_distance": (grid, mutual, {"units": "1", "long_name": "distance of two replicas"}),
            "centre_distance": (grid, 0.5 * (1.0 - np.sqrt(1.0 - 2.0 * mutual)), {"units": "1"}),
            "robust_entropy": (grid, stacked("entropy"), {"units": "nats per weight", "long_name": "entropy per replica"}),
            "robust_slope": (grid, stacked("slope"), {"units": "nats per weight", "of": "mutual distance"}),
            "robust_residual": (grid, stacked("residual"), {"units": "nats per weight"}),
            "robust_error_estimate": (grid, stacked("error_estimate"), {"units": "nats per weight"}),
            "robust_result": (grid, stacked("result")),
        },
        coords={
            "alpha": ("alpha", alphas, {"units": "patterns per weight", "long_name": "load"}),
            "reference_margin": ("alpha", largest["value"], {"units": "1", "long_name": "kappa_max"}),
            "reference_margin_error_estimate": ("alpha", largest["error_estimate"], {"units": "1"}),
            "reference_margin_result": ("alpha", largest["result"]),
            "distance": ("distance", chosen["distance"], {"units": "1", "long_name": "Hamming distance per weight"}),
        },
    )


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: both entropies against distance from the centre; the slope of the robust ensemble."""
    with styled():
        figure, (left, right) = canvas(7.0, 3.1, columns=2)
        for axes in (left, right):
            axes.axhline(0.0, color="0.6", linewidth=0.6)
        for color, part in each(dataset, "alpha"):
            style = {"color": color, "label": rf"$\alpha={float(part.alpha):.2f}$"}
            line(left, part.centre_distance, part.robust_entropy, part.robust_result, **style)
            line(left, part.distance, part.entropy, part.result, color=color, linestyle="--", linewidth=0.8)
            line(right, part.mutual_distance, part.robust_slope, part.robust_result, **style)
        left.set(xlabel="distance from the centre", ylabel="entropy (nats per weight)", xlim=(0, 0.15), ylim=(-0.02, 0.09))
        left.legend(loc="upper left")
        right.set(xlabel=r"mutual distance $(1-q_1)/2$", ylabel=r"$d\phi/dd$", ylim=(-1.0, 1.5), xscale="log")
        letter(left, "a")
        letter(right, "b")
    return figure
