"""Figure 2: distance between two typical solutions against their margin; each curve ends at kappa_max."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, along, threshold
from fmjax.reproduce.plotting import canvas, converged, each, line, styled

TITLE = "Distance between typical solutions against margin"
CAPTION = (
    "Hamming distance per weight between two typical solutions of margin κ, for several loads α. Each curve ends, "
    "at the dot, at κ_max(α), the largest margin that has solutions: solutions of larger margin lie closer together."
)


def settings(quick: bool) -> dict[str, Any]:
    """Loads, and the number of margins between 0 and kappa_max."""
    return {"alpha": [0.2, 0.35, 0.5, 0.65, 0.8], "margins": 31 if quick else 121}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """Typical solutions at several loads, and margins from 0 to kappa_max at each."""
    chosen = settings(quick)
    alphas, fractions = chosen["alpha"], np.linspace(0.0, 1.0, chosen["margins"])
    largest = engine.grid("kappa-max", alpha=alphas)
    loads, margins = np.broadcast_arrays(np.array(alphas)[:, None], largest.value.to_numpy()[:, None] * fractions)
    found = engine.grid("entropy", alpha=along("point", loads), margin=along("point", margins))
    about: dict[str, dict[str, str]] = {
        "distance": {"units": "1", "long_name": "distance of typical solutions"},
        "overlap": {"units": "1", "long_name": "overlap q of typical solutions"},
        "entropy": {"units": "nats per weight", "long_name": "entropy S"},
        "residual": {"units": "nats per weight"},
        "error_estimate": {"units": "nats per weight", "of": "entropy"},
        "result": {},
    }
    axes = ("alpha", "fraction")
    return xr.Dataset(
        {
            "margin": (axes, margins, {"units": "1", "long_name": "margin kappa"}),
            **{name: (axes, found[name].to_numpy().reshape(margins.shape), attrs) for name, attrs in about.items()},
            **threshold(largest, "kappa_max", "alpha", long_name="largest margin"),
        },
        coords={
            "alpha": ("alpha", alphas, {"units": "patterns per weight", "long_name": "load"}),
            "fraction": ("fraction", fractions, {"units": "kappa_max"}),
        },
    )


def draw(dataset: xr.Dataset) -> Figure:
    """Distance against margin, one curve per load."""
    with styled():
        figure, axes = canvas(3.6, 2.8)
        for color, part in each(dataset, "alpha"):
            line(axes, part.margin, part.distance, part.result, color=color, label=rf"$\alpha={float(part.alpha):g}$")
            if converged(part.result)[-1]:
                axes.plot(*(float(part[name][-1]) for name in ("margin", "distance")), "o", color=color)
        axes.set(xlabel=r"margin $\kappa$", ylabel=r"typical distance $d$", xlim=(0, None), ylim=(0, None))
        axes.legend(title=r"$\bullet$  $\kappa_{\max}(\alpha)$", alignment="left")
    return figure
