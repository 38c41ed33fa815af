"""Figure 2: distance between two typical solutions against their margin; each curve ends at kappa_max."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.progress import Progress, silent
from fmjax.reproduce.plotting import canvas, converged, each, line, styled
from fmjax.reproduce.solving import kappa_max, typical

TITLE = "Distance between typical solutions against margin"
CAPTION = (
    "Hamming distance per weight between two typical solutions of margin κ, for several loads α. Each curve ends, "
    "at the dot, at κ_max(α), the largest margin that has solutions: solutions of larger margin lie closer together."
)


def settings(quick: bool) -> dict[str, Any]:
    """Loads, and the number of margins between 0 and kappa_max."""
    return {"alpha": [0.2, 0.35, 0.5, 0.65, 0.8], "margins": 31 if quick else 121}


def margins_dataset(quick: bool, progress: Progress) -> xr.Dataset:
    """Typical solutions at several loads, and margins from 0 to kappa_max at each."""
    chosen = settings(quick)
    alphas = np.array(chosen["alpha"])
    (largest,) = [kappa_max(alphas) for _ in progress(range(1), "kappa_max")]
    margins = largest["value"][:, None] * np.linspace(0.0, 1.0, chosen["margins"])
    (found,) = [typical(alphas, margins) for _ in progress(range(1), "typical solutions")]
    grid = ("alpha", "fraction")
    return xr.Dataset(
        {
            "margin": (grid, margins, {"units": "1", "long_name": "margin kappa"}),
            "distance": (grid, found["distance"], {"units": "1", "long_name": "distance of typical solutions"}),
            "overlap": (grid, found["overlap"], {"units": "1", "long_name": "overlap q of typical solutions"}),
            "entropy": (grid, found["entropy"], {"units": "nats per weight", "long_name": "entropy S"}),
            "residual": (grid, found["residual"], {"units": "nats per weight"}),
            "error_estimate": (grid, found["error_estimate"], {"units": "nats per weight", "of": "entropy"}),
            "result": (grid, found["result"]),
            "kappa_max": ("alpha", largest["value"], {"units": "1", "long_name": "largest margin"}),
            "kappa_max_error_estimate": ("alpha", largest["error_estimate"], {"units": "1"}),
            "kappa_max_result": ("alpha", largest["result"]),
        },
        coords={
            "alpha": ("alpha", alphas, {"units": "patterns per weight", "long_name": "load"}),
            "fraction": ("fraction", np.linspace(0.0, 1.0, chosen["margins"]), {"units": "kappa_max"}),
        },
    )


def compute(quick: bool, progress: Progress = silent) -> xr.Dataset:
    """Distance of typical solutions, margins from 0 to kappa_max at several loads."""
    return margins_dataset(quick, progress)


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
