"""Local entropy around minima of the cross-entropy, next to that around references of a margin."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, along
from fmjax.reproduce.franz_parisi import around_two_margins, curve_variables
from fmjax.reproduce.plotting import each, mark_unstable, smooth_line, styled

TITLE = "Local entropy around minima of the cross-entropy"
CAPTION = (
    "α = 0.5. Solutions at distance d from weights that are drawn with the cross-entropy β Σ ln(1 + exp(−γ Δ)): at the "
    "largest β at which there are such weights, its minima, for several γ (solid), and at smaller β (dash-dotted). ε is "
    "the fraction of patterns that these weights get wrong: where it is not 0 they are no solutions themselves, and the "
    "curve ends before d = 0, with its replica-symmetric branch. Dashed: around typical solutions of the largest margin "
    "and of margin 0. Dotted: binary entropy, the bound. Pale bands: replica symmetry is unstable (replicon below 0)."
)

_LOAD_OF_LOSSES = 0.5
_NEARLY_FROZEN = 1.0 - 1e-9  # of the largest inverse temperature, where rounding may leave no entropy of references
_CURVE = ("entropy", "slope", "replicon", "error_estimate", "result")


def settings(quick: bool) -> dict[str, Any]:
    """The load, what references are drawn with, and the distances."""
    sharpness, warm = ([2.0, 4.0, 8.0], [10.0]) if quick else ([1.0, 2.0, 3.0, 4.0, 6.0, 8.0], [5.0, 10.0, 15.0])
    distance = np.geomspace(2e-3, 0.2, 16 if quick else 48).tolist()
    return {"alpha": _LOAD_OF_LOSSES, "sharpness": sharpness, "warm": warm, "warm_sharpness": 4.0, "distance": distance}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """Curves around minima for every sharpness, around warmer weights for one, and around two margins."""
    chosen = settings(quick)
    alpha, distance, cold, warm = (chosen[name] for name in ("alpha", "distance", "sharpness", "warm"))
    largest = engine.grid("kappa-max", alpha=alpha)
    margins = np.array([0.0, float(largest.value)])
    curves = engine.grid("franz-parisi", 1, alpha=alpha, reference_margin=along("point", margins), distance=distance)
    coldest = engine.grid("freezing", alpha=alpha, loss="cross-entropy", sharpness=cold)
    sharpness = np.append(cold, np.full(len(warm), chosen["warm_sharpness"]))
    beta = np.append(_NEARLY_FROZEN * coldest.value.to_numpy(), warm)
    asked = {"alpha": alpha, "loss": "cross-entropy", "sharpness": along("point", sharpness), "beta": along("point", beta)}
    thermal = engine.grid("thermodynamics", **asked)
    around = engine.grid("franz-parisi-loss", 1, **asked, distance=distance)
    curve = ("drawn", "distance")
    return xr.Dataset(
        curve_variables(curves, "reference")
        | {f"drawn_{name}": (curve, around[name].to_numpy()) for name in _CURVE}
        | {f"drawn_{name}": ("drawn", thermal[name].to_numpy()) for name in ("energy", "error")}
        | {"minimum": ("drawn", np.arange(len(beta)) < len(cold))},
        coords={
            "reference_margin": ("reference", margins, {"units": "1", "long_name": "margin of the reference"}),
            "margin_result": ("reference", ["converged", str(largest.result.item())]),
            "sharpness": ("drawn", sharpness, {"units": "1", "long_name": "sharpness"}),
            "beta": ("drawn", beta, {"units": "1", "long_name": "inverse temperature"}),
            "distance": ("distance", distance, {"units": "1", "long_name": "Hamming distance per weight"}),
            "alpha": ((), alpha, {"units": "patterns per weight", "long_name": "load"}),
        },
    )


def draw(dataset: xr.Dataset) -> Figure:
    """All of them against the logarithm of the distance."""
    with styled():
        figure, axes = around_two_margins(dataset, ("#CC79A7", "black"), linestyle="--")
        for color, part in each(dataset, "drawn"):
            share, power = f"{float(part.drawn_error):.0e}".split("e")
            drawn = rf"\gamma={float(part.sharpness):g},\ \beta={float(part.beta):.3g}"
            name = rf"${drawn},\ \epsilon={share}\times10^{{{int(power)}}}$"
            look = {"color": color, "linestyle": "-" if bool(part.minimum) else "-.", "label": name}
            smooth_line(axes, part.distance, part.drawn_entropy, part.drawn_slope, part.drawn_result, **look)
            mark_unstable(axes, part.distance, part.drawn_entropy, part.drawn_replicon, part.drawn_result, color)
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), title=rf"$\alpha={float(dataset.alpha):g}$")
    return figure
