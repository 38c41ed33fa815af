"""Figures 4, 6 and 7: local entropy around solutions of the largest margin, and its slope, for loads around alpha'_U."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, along, threshold
from fmjax.reproduce.franz_parisi import curve_variables, distances
from fmjax.reproduce.plotting import canvas, each, letter, line, mark_unstable, smooth_line, styled

_CAPTION = (
    "{model}. Left: Franz–Parisi entropy around a typical solution of margin κ_max(α), for loads α around α′_U. Right: its "
    "derivative. Inset: the fold at small distance; where the derivative becomes negative before the maximum, α > α′_U. "
    "Pale bands: the replica-symmetric branch is unstable (replicon below 0)."
)


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: entropy and slope against distance, the second with an inset at small distances."""
    with styled():
        figure, (left, right) = canvas(7.0, 3.1, columns=2)
        inset = right.inset_axes((0.55, 0.58, 0.44, 0.4))
        for place in (left, right, inset):
            place.axhline(0.0, color="0.6", linewidth=0.6)
        for color, part in each(dataset, "alpha"):
            style = {"color": color, "label": rf"$\alpha={float(part.alpha):.2f}$"}
            smooth_line(left, part.distance, part.entropy, part.slope, part.result, **style)
            mark_unstable(left, part.distance, part.entropy, part.replicon, part.result, color)
            for place in (right, inset):
                line(place, part.distance, part.slope, part.result, **style)
                mark_unstable(place, part.distance, part.slope, part.replicon, part.result, color)
        left.set(xlabel="distance $d$", ylabel=r"local entropy $\phi$ (nats per weight)", xlim=(0, 0.5))
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center")
        right.set(xlabel="distance $d$", ylabel=r"$d\phi/dd$", xlim=(0, 0.5), ylim=(-1.0, 2.0))
        inset.set(xlim=(1e-3, 0.1), ylim=(-0.4, 1.4), xscale="log")
        inset.tick_params(labelsize=6.5)
        letter(left, "a")
        letter(right, "b")
    return figure


class AtKappaMax:
    """The figure of one architecture.

    Args:
        model: its name in the caption.
        loads: patterns per weight, around alpha'_U.
        activation: of a tree committee; the perceptron without one.
    """

    def __init__(self, model: str, loads: list[float], activation: str | None = None):
        self.TITLE = f"Local entropy around solutions of the largest margin: {model.lower()}"
        self.CAPTION = _CAPTION.format(model=model)
        self.draw = draw
        self._loads = loads
        self._model: dict[str, Any] = {"architecture": "committee", "activation": activation} if activation else {}

    def settings(self, quick: bool) -> dict[str, Any]:
        """Loads around alpha'_U and the distances of figure 3."""
        return {"alpha": self._loads, "distance": distances(quick).tolist()}

    def compute(self, quick: bool, engine: Engine = USUAL) -> xr.Dataset:
        """Local entropy and its slope with the reference at kappa_max, at several loads."""
        chosen = self.settings(quick)
        alphas, distance = chosen["alpha"], chosen["distance"]
        largest = engine.grid("kappa-max", alpha=alphas, **self._model)
        references = along("alpha", largest.value)
        # Each curve is a block: all have about the same length.
        found = engine.grid("franz-parisi", 1, alpha=alphas, reference_margin=references, distance=distance, **self._model)
        return xr.Dataset(
            curve_variables(found, "alpha"),
            coords={
                "alpha": ("alpha", alphas, {"units": "patterns per weight", "long_name": "load"}),
                **threshold(largest, "reference_margin", "alpha", long_name="kappa_max"),
                "distance": ("distance", distance, {"units": "1", "long_name": "Hamming distance per weight"}),
            },
        )


PERCEPTRON = AtKappaMax("Perceptron", [0.68, 0.70, 0.72, 0.73, 0.74, 0.76, 0.80])
RELU = AtKappaMax("Tree committee of ReLU units", [0.72, 0.74, 0.76, 0.77, 0.78, 0.80, 0.84], "relu")
SIGN = AtKappaMax("Tree committee of sign units", [0.50, 0.52, 0.54, 0.55, 0.57, 0.60, 0.64], "sign")
