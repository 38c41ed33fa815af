"""Figure 5: entropy of solutions against margin, and the largest margin against load."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce import typical_distance
from fmjax.reproduce.engine import USUAL, Engine, threshold
from fmjax.reproduce.plotting import canvas, converged, each, letter, line, styled

TITLE = "Entropy against margin, and the largest margin"
CAPTION = (
    "Left: entropy of the solutions of margin κ, nats per weight, for several loads α; it vanishes at κ_max(α). "
    "Right: κ_max against α, which reaches margin 0 at the capacity; dots mark the loads on the left."
)


def settings(quick: bool) -> dict[str, Any]:
    """As figure 2, and the loads at which kappa_max is computed."""
    return typical_distance.settings(quick) | {"loads": [0.05, 0.85, 91 if quick else 361]}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """Entropy of typical solutions at several loads, and kappa_max on a grid of loads."""
    dataset = typical_distance.compute(quick, engine)
    loads = np.linspace(*settings(quick)["loads"])
    largest = engine.grid("kappa-max", alpha=loads)
    return dataset.assign(
        threshold(largest, "largest_margin", "fine_alpha", long_name="largest margin kappa_max")
    ).assign_coords(fine_alpha=("fine_alpha", loads, {"units": "patterns per weight"}))


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: entropy against margin, largest margin against load."""
    with styled():
        figure, (left, right) = canvas(7.0, 2.8, columns=2)
        right.axhline(0.0, color="0.6", linewidth=0.6)
        line(right, dataset.fine_alpha, dataset.largest_margin, dataset.largest_margin_result, color="0.25")
        for color, part in each(dataset, "alpha"):
            line(left, part.margin, part.entropy, part.result, color=color, label=rf"$\alpha={float(part.alpha):g}$")
            if converged(part.kappa_max_result):
                left.plot(float(part.kappa_max), 0.0, "o", color=color, clip_on=False, zorder=3)
                right.plot(float(part.alpha), float(part.kappa_max), "o", color=color)
        left.set(xlabel=r"margin $\kappa$", ylabel=r"entropy $S$ (nats per weight)", xlim=(0, None), ylim=(0, None))
        left.legend(title=r"$\bullet$  $\kappa_{\max}(\alpha)$", alignment="left")
        right.set(xlabel=r"load $\alpha$", ylabel=r"largest margin $\kappa_{\max}$", xlim=(0, None))
        letter(left, "a")
        letter(right, "b")
    return figure
