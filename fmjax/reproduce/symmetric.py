"""Phases of the symmetric binary perceptron, which the paper does not treat, in the plane of margin and load."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine
from fmjax.reproduce.plotting import canvas, converged, each, line, styled

TITLE = "Phases of the symmetric perceptron"
CAPTION = (
    "Patterns ask for |Δ| < κ; loads are in parts of the capacity α_c(κ) = −ln 2 / ln P[|z| < κ], which the first moment "
    "gives exactly (Aubin, Perkins and Zdeborova 2019). Below α′_U the local entropy around the hardest references that "
    "exist, which are those of the smallest margin, rises up to its maximum. Dashed, not with --quick: the load up to "
    "which y solutions lie at any distance from each other. Dotted: κ² (ln 1/κ + 1.07), which α′_U follows at small "
    "margins: a vanishing part of the capacity, as are the loads at which stable algorithms are known to fail (Gamarnik, "
    "Kizildag, Perkins and Xu 2022)."
)

_LAW = 1.07  # measured between margins of 0.05 and 0.1
_LAW_UP_TO = 0.3  # where the law leaves the line


def settings(quick: bool) -> dict[str, Any]:
    """Margins, and the numbers of replicas."""
    margins = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 3.0])
    if not quick:
        margins = np.union1d(np.geomspace(0.05, 3.0, 25).round(4), margins)
    return {"margin": margins.tolist(), "replicas": [] if quick else [2, 4]}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """Three thresholds along the margins: capacity, alpha'_U, robust capacity for each number of replicas."""
    chosen = settings(quick)
    margins, replicas = chosen["margin"], chosen["replicas"]

    def along_margins(quantity: str, **controls: Any) -> xr.Dataset:
        return engine.grid(quantity, 1, margin=margins, constraint="symmetric", **controls)

    found = {"capacity": along_margins("capacity"), "alpha_u": along_margins("alpha-u")}
    robust = [along_margins("robust-capacity", replicas=count) for count in replicas]
    load = {"units": "patterns per weight"}
    variables: dict[str, Any] = {}
    for key in ("value", "error_estimate", "result"):
        ending, about = ("", load) if key == "value" else (f"_{key}", load if key == "error_estimate" else {})
        variables |= {f"{name}{ending}": ("margin", lines[key].to_numpy(), about) for name, lines in found.items()}
        rows = np.reshape([lines[key].to_numpy() for lines in robust], (len(replicas), len(margins)))
        variables[f"robust_capacity{ending}"] = (("replicas", "margin"), rows, about)
    return xr.Dataset(
        variables | {"alpha_u_distance": ("margin", found["alpha_u"].distance.to_numpy(), {"units": "1"})},
        coords={
            "margin": ("margin", margins, {"units": "1", "long_name": "margin"}),
            "replicas": ("replicas", np.asarray(replicas), {"units": "1"}),
        },
    )


def draw(dataset: xr.Dataset) -> Figure:
    """Loads in parts of the capacity against the margin, the phases between them, and the law of small margins."""
    with styled():
        figure, axes = canvas(6.6, 3.5)
        margin, capacity = dataset.margin.to_numpy(), dataset.capacity.to_numpy()
        capacity = np.where(converged(dataset.capacity_result), capacity, np.nan)
        end = dataset.alpha_u.to_numpy() / capacity
        known = converged(dataset.alpha_u_result) & np.isfinite(end)
        axes.fill_between(margin[known], 0.0, end[known], color="#009E73", alpha=0.28, linewidth=0, label="monotonic")
        axes.fill_between(margin[known], end[known], 1.0, color="#E69F00", alpha=0.25, linewidth=0, label="not monotonic")
        axes.axhline(1.0, color="0.1", label=r"$\alpha_c$")
        line(axes, margin, end, dataset.alpha_u_result, color="#009E73", label=r"$\alpha'_U$")
        for color, part in each(dataset, "replicas"):
            style = {"color": color, "linestyle": "--", "label": rf"$y={float(part.replicas):g}$ replicas"}
            line(axes, margin, part.robust_capacity / capacity, part.robust_capacity_result, **style)
        small = np.geomspace(margin.min(), _LAW_UP_TO, 40)
        law = np.square(small) * (_LAW - np.log(small)) / np.interp(small, margin, capacity)
        axes.plot(small, law, ":", color="0.2", label=r"$\alpha=\kappa^2(\ln\frac{1}{\kappa}+1.07)$")
        axes.text(0.5, 1.03, "no solutions", color="0.3", transform=axes.get_yaxis_transform(), ha="center")
        axes.set(xlabel=r"margin $\kappa$", ylabel=r"load $\alpha/\alpha_c(\kappa)$", xscale="log")
        axes.set(xlim=(margin.min(), margin.max()), ylim=(0.0, 1.12))
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), title=r"$\phi(d)$ below its maximum", alignment="left")
    return figure
