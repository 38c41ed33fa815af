"""Replica symmetry, one step of its breaking, and the robust ensemble at the same load."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, along
from fmjax.reproduce.plotting import binary_entropy, canvas, each, letter, line, mark_unstable, smooth_line, styled
from fmjax.sentences import PHASES

TITLE = "One step of replica-symmetry breaking and the robust ensemble"
CAPTION = (
    "α = 0.75. Left: local entropy around references of three margins, with one step of replica-symmetry breaking of the "
    "counted solutions. Solid: they are isolated, and the replica-symmetric entropy is exact; dotted: it is negative, and "
    "there are no solutions; pale bands: the replica-symmetric branch is unstable (replicon below 0). Dash-dotted: entropy "
    "per replica of infinitely many solutions that lie close to each other, against the distance from their centre. Right: "
    "entropy of a cluster of overlap q₁ minus that of all counted solutions, at m = 1. A maximum would be a cluster; there "
    "is none, only the barrier (points), beyond which each solution is on its own (q₁ = 1). Where the curve ends above 0 "
    "there are no solutions."
)

_LOAD = 0.75
_SHOWN = ((0, 0.01), (0, 0.1), (2, 0.001), (2, 0.01), (2, 0.1))  # reference and distance of the potentials
_BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "ncols": 2}
_RISE = np.geomspace(1e-3, 40.0, 160)  # fields from no cluster at all to solutions that are on their own
_CLOSEST_REPLICAS = 0.006  # closer, the patterns constrain nothing and Newton loses the branch


def settings(quick: bool) -> dict[str, Any]:
    """The load, the distances, those of potentials, and the number of mutual distances of the robust ensemble."""
    near, far = (10, 5) if quick else (40, 20)
    grid = np.concatenate([np.geomspace(1e-3, 0.1, near), np.linspace(0.1, 0.5, far + 1)[1:]])
    distance = np.union1d(grid, [d for _, d in _SHOWN]).tolist()
    return {"alpha": _LOAD, "distance": distance, "shown": list(map(list, _SHOWN)), "points": 40 if quick else 80}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """One-step answers around references of margins 0, half of kappa_max and kappa_max; robust ensemble."""
    chosen = settings(quick)
    alpha, distance = chosen["alpha"], np.array(chosen["distance"])
    largest = engine.grid("kappa-max", alpha=alpha)
    margins = np.array([0.0, 0.5, 1.0]) * float(largest.value)
    found = engine.grid("clusters", 1, alpha=alpha, reference_margin=along("point", margins), distance=distance)
    nats, one = {"units": "nats per weight"}, {"units": "1"}
    about: dict[str, dict[str, str]] = {
        "entropy": nats | {"long_name": "one-step local entropy"},
        "slope": nats | {"long_name": "d entropy / d distance"},
        "symmetric_entropy": nats,
        "replicon": one,
        "block_size": one | {"long_name": "m"},
        "cluster_overlap": one | {"long_name": "q1"},
        "complexity": nats,
        "internal_entropy": nats,
        "stable_clusters": one | {"long_name": "stable solutions at m = 1"},
        "residual": nats,
        "error_estimate": nats,
        "result": {},
    }
    axes = ("reference", "distance")
    return xr.Dataset(
        {name: (axes, found[name].to_numpy(), units) for name, units in about.items()}
        | {"phase": (axes, np.array(PHASES)[found.phase.to_numpy()])}
        | _potentials(engine, alpha, margins, found)
        | _robust(engine, alpha, chosen["points"]),
        coords={
            "reference_margin": ("reference", margins, {"units": "1", "long_name": "margin of the reference"}),
            "margin_result": ("reference", ["converged"] + [str(largest.result.item())] * 2),
            "distance": ("distance", distance, {"units": "1", "long_name": "Hamming distance per weight"}),
            "alpha": ((), alpha, {"units": "patterns per weight", "long_name": "load"}),
        },
    )


def _potentials(engine: Engine, alpha: float, margins: np.ndarray, clusters: xr.Dataset) -> dict[str, Any]:
    """What a cluster would have against the overlap inside it at m = 1, and where the barrier is: of a few points."""
    references, distance = [reference for reference, _ in _SHOWN], [distance for _, distance in _SHOWN]
    shown = margins[references]
    at = {"reference_margin": along("point", shown), "distance": along("point", distance)}
    found = engine.grid("cluster-potential", 1, alpha=alpha, **at, rise=_RISE)
    barrier = clusters.isel(point=xr.DataArray(references, dims="shown")).sel(distance=xr.DataArray(distance, dims="shown"))
    nats, one, curve = {"units": "nats per weight"}, {"units": "1"}, ("shown", "scan")
    return {
        "shown_margin": ("shown", shown, one),
        "shown_distance": ("shown", distance, one),
        "shown_result": ("shown", found.result.to_numpy()[:, 0]),
        "barrier_overlap": ("shown", barrier.barrier_overlap.to_numpy(), one | {"long_name": "q1 of the barrier at m = 1"}),
        "barrier_complexity": ("shown", barrier.barrier_complexity.to_numpy(), nats),
        "potential_overlap": (curve, found.cluster_overlap.to_numpy(), one),
        "potential": (curve, found.potential.to_numpy(), nats | {"long_name": "dphi/dm at m = 1"}),
        "potential_error_estimate": (curve, found.error_estimate.to_numpy(), nats),
    }


def _robust(engine: Engine, alpha: float, points: int) -> dict[str, Any]:
    """Entropy of infinitely many replicas, against their mutual distance and that from their centre."""
    typical = float(engine.grid("entropy", alpha=alpha).distance)
    mutual = np.geomspace(_CLOSEST_REPLICAS, 0.98 * typical, points)
    found = engine.grid("robust-ensemble", alpha=alpha, replicas=np.inf, distance=mutual)
    centre = 0.5 * (1.0 - np.sqrt(1.0 - 2.0 * mutual))
    return {
        "mutual_distance": ("point", mutual, {"units": "1", "long_name": "distance of two replicas"}),
        "centre_distance": ("point", centre, {"units": "1", "long_name": "distance from their centre"}),
        "robust_entropy": ("point", found.entropy.to_numpy(), {"units": "nats per weight", "long_name": "per replica"}),
        "robust_residual": ("point", found.residual.to_numpy(), {"units": "nats per weight"}),
        "robust_error_estimate": ("point", found.error_estimate.to_numpy(), {"units": "nats per weight"}),
        "robust_result": ("point", found.result.to_numpy()),
    }


def draw(dataset: xr.Dataset) -> Figure:
    """Two panels: entropies against distance; what a cluster would have, against the distance inside it."""
    with styled():
        figure, (left, right) = canvas(7.0, 3.9, columns=2)
        bound = np.geomspace(1e-4, 0.5, 400)
        left.plot(bound, binary_entropy(bound), ":", color="0.35", linewidth=1.0, label="binary entropy")
        left.axhline(0.0, color="0.6", linewidth=0.6)
        for color, part in each(dataset, "reference"):
            label = rf"$\tilde\kappa={float(part.reference_margin):.3g}$"
            some = np.where(part.entropy >= 0.0, part.result, "")
            # Dotted up to the first point that has solutions, so that the pieces meet.
            none = np.where(np.convolve(part.entropy < 0.0, np.ones(3), mode="same") > 0, part.result, "")
            line(left, part.distance, part.entropy, none, color=color, linestyle=":")
            smooth_line(left, part.distance, part.entropy, part.slope, some, color=color, label=label)
            mark_unstable(left, part.distance, part.entropy, part.replicon, part.result, color)
        line(
            left,
            dataset.centre_distance,
            dataset.robust_entropy,
            dataset.robust_result,
            color="black",
            linestyle="-.",
            label=r"robust ensemble, $y=\infty$",
        )
        left.set(
            xlabel="distance $d$", ylabel="entropy (nats per weight)", xscale="log", xlim=(1e-3, 0.5), ylim=(-0.06, 0.12)
        )
        left.legend(**_BELOW)

        right.axhline(0.0, color="0.6", linewidth=0.6)
        for color, part in each(dataset, "shown"):
            if str(part.shown_result.item()) != "converged":
                continue
            label = rf"$\tilde\kappa={float(part.shown_margin):.3g},\ d={float(part.shown_distance):g}$"
            right.plot(0.5 * (1.0 - part.potential_overlap), part.potential, color=color, label=label)
            right.plot(0.5 * (1.0 - part.barrier_overlap), -part.barrier_complexity, "o", color=color, markersize=4)
        right.set(xlabel="distance inside a cluster $(1-q_1)/2$", ylabel=r"$\partial\phi/\partial m$ at $m=1$")
        right.set(xscale="log", xlim=(1e-6, 0.5))
        right.legend(**_BELOW)
        letter(left, "a")
        letter(right, "b")
    return figure
