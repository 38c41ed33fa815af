"""Local entropy of every ensemble at one load: around references, around centres, of replicas, and around what is found."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, along
from fmjax.reproduce.experiment import draw_points, experiment_variables
from fmjax.reproduce.franz_parisi import around_two_margins, curve_variables
from fmjax.reproduce.plotting import line, styled

TITLE = "Local entropy of typical and of dense regions"
CAPTION = (
    "α = 0.6. Coloured: local entropy around typical solutions of margin 0 and of the largest margin. Black: around the "
    "best of all weights, solutions or not: with as many replicas as leave no entropy of such centres (solid, the "
    "densest regions that exist; the line ends where these are more than the integrals resolve), and with infinitely "
    "many (dashed), which no region need have; dash-dotted: infinitely many replicas without a centre, against the "
    "distance from their mean. Points: belief propagation (BP) biased towards solutions that focusing BP found on "
    "random instances; mean and standard deviation over them, open where BP did not converge on all of them. Dotted: "
    "binary entropy, the bound."
)

_LARGE = 0.6  # a load at which focusing solves every instance, and typical numbers of replicas are moderate
_ENSEMBLES = {"typical": ("-", "best centres that exist"), "infinite": ("--", r"$y=\infty$, around a centre")}


def settings(quick: bool) -> dict[str, Any]:
    """The load and the distances; size, samples and fields of the experiment."""
    experiment = {"size": 2001, "samples": 3, "fields": 10} if quick else {"size": 10_001, "samples": 10, "fields": 24}
    return {"alpha": _LARGE, "distance": np.geomspace(2e-3, 0.2, 32 if quick else 96).tolist(), "experiment": experiment}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """Curves around two references and three ensembles at the same distances, and points of instances."""
    chosen = settings(quick)
    alpha, distance = chosen["alpha"], np.array(chosen["distance"])
    largest = engine.grid("kappa-max", alpha=alpha)
    margins = np.array([0.0, float(largest.value)])
    curves = engine.grid("franz-parisi", 1, alpha=alpha, reference_margin=along("point", margins), distance=distance)
    around = {
        "typical": engine.grid("centred-ensemble", alpha=alpha, distance=distance),
        "infinite": engine.grid("centred-ensemble", alpha=alpha, replicas=np.inf, distance=distance),
    }
    # Replicas at a distance d of their mean lie at 2 d (1 - d) of each other, no further than typical solutions.
    apart = 2.0 * distance * (1.0 - distance)
    inside = apart < float(engine.grid("entropy", alpha=alpha).distance)
    robust = engine.grid("robust-ensemble", alpha=alpha, replicas=np.inf, distance=apart[inside])
    axes, nats = ("ensemble", "distance"), {"units": "nats per weight"}
    variables: dict[str, Any] = {
        f"centred_{name}": (axes, np.stack([found[name].to_numpy() for found in around.values()]), about)
        for name, about in (("entropy", nats), ("replicas_found", {}), ("error_estimate", nats), ("result", {}))
    }
    for name, about in (("entropy", nats), ("error_estimate", nats), ("result", {})):
        variables[f"robust_{name}"] = ("robust_distance", robust[name].to_numpy(), about)
    return xr.Dataset(
        curve_variables(curves, "reference") | variables | experiment_variables(engine, alpha, **chosen["experiment"]),
        coords={
            "reference_margin": ("reference", margins, {"units": "1", "long_name": "margin of the reference"}),
            "margin_result": ("reference", ["converged", str(largest.result.item())]),
            "ensemble": ("ensemble", list(around)),
            "distance": ("distance", distance, {"units": "1", "long_name": "Hamming distance per weight"}),
            "robust_distance": ("robust_distance", distance[inside], {"units": "1", "long_name": "from the mean"}),
            "alpha": ((), alpha, {"units": "patterns per weight", "long_name": "load"}),
        },
    )


def draw(dataset: xr.Dataset) -> Figure:
    """All of them against the logarithm of the distance."""
    with styled():
        figure, axes = around_two_margins(dataset, ("#CC79A7", "#009E73"))
        for kind, (style, name) in _ENSEMBLES.items():
            part = dataset.sel(ensemble=kind)
            look = {"color": "black", "linestyle": style, "label": name}
            line(axes, part.distance, part.centred_entropy, part.centred_result, **look)
        look = {"color": "black", "linestyle": "-.", "label": r"$y=\infty$, around their mean"}
        line(axes, dataset.robust_distance, dataset.robust_entropy, dataset.robust_result, **look)
        draw_points(axes, dataset)
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), title=rf"$\alpha={float(dataset.alpha):g}$")
    return figure
