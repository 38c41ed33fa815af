"""Replica symmetry, one step of its breaking, and the robust ensemble at the same load."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import fmjax
from fmjax.quantities.asking import answer
from fmjax.reproduce.engine import USUAL, Engine
from fmjax.reproduce.plotting import binary_entropy, canvas, each, letter, line, mark_unstable, shades, smooth_line, styled

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
_CLOSEST_REPLICAS = 0.006  # closer, the patterns constrain nothing and Newton loses the branch


def settings(quick: bool) -> dict[str, Any]:
    """The load, the distances, and the number of mutual distances of the robust ensemble."""
    near, far = (10, 5) if quick else (40, 20)
    grid = np.concatenate([np.geomspace(1e-3, 0.1, near), np.linspace(0.1, 0.5, far + 1)[1:]])
    return {"alpha": _LOAD, "distance": np.union1d(grid, [d for _, d in _SHOWN]).tolist(), "points": 40 if quick else 80}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """One-step answers around references of margins 0, half of kappa_max and kappa_max; robust ensemble."""
    chosen = settings(quick)
    alpha, distance = chosen["alpha"], np.array(chosen["distance"])
    largest = engine.grid("kappa-max", alpha=alpha)
    margins = np.array([0.0, 0.5, 1.0]) * float(largest.value)
    # Two programs, compiled side by side.
    with ThreadPoolExecutor(2) as pool:
        ensemble = pool.submit(_robust, engine, alpha, chosen["points"])
        steps = engine.progress([f"margin {margin:.3g}" for margin in margins], "clusters")
        points = [_clusters(alpha, margin, distance) for _, margin in zip(steps, margins, strict=True)]
        robust = ensemble.result()

    axes = ("reference", "distance")

    def stacked(read: Any) -> np.ndarray:
        return np.stack([np.asarray(read(point)) for point in points])

    nats = {"units": "nats per weight"}
    return xr.Dataset(
        {
            "entropy": (axes, stacked(lambda p: p.entropy), nats | {"long_name": "one-step local entropy"}),
            "slope": (axes, stacked(lambda p: p.slope), nats | {"long_name": "d entropy / d distance"}),
            "symmetric_entropy": (axes, stacked(lambda p: p.symmetric.entropy), nats),
            "replicon": (axes, stacked(lambda p: p.symmetric.replicon), {"units": "1"}),
            "phase": (axes, stacked(lambda p: p.phase)),
            "block_size": (axes, stacked(lambda p: p.m), {"units": "1", "long_name": "m"}),
            "cluster_overlap": (axes, stacked(lambda p: p.q1), {"units": "1", "long_name": "q1"}),
            "complexity": (axes, stacked(lambda p: p.complexity), nats),
            "internal_entropy": (axes, stacked(lambda p: p.internal_entropy), nats),
            "residual": (axes, stacked(lambda p: p.residual), nats),
            "error_estimate": (axes, stacked(lambda p: p.error_estimate), nats),
            "result": (axes, stacked(lambda p: p.result)),
            "solution_overlap": ((*axes, "solution"), stacked(lambda p: p.roots.q1), {"long_name": "q1 at m = 1"}),
            "solution_complexity": ((*axes, "solution"), stacked(lambda p: p.roots.complexity), nats),
            "solution_stable": ((*axes, "solution"), stacked(lambda p: p.roots.stable)),
            "potential_overlap": ((*axes, "scan"), stacked(lambda p: p.potential.q1), {"units": "1"}),
            "potential": ((*axes, "scan"), stacked(lambda p: p.potential.excess), nats | {"long_name": "dphi/dm at m = 1"}),
        }
        | robust,
        coords={
            "reference_margin": ("reference", margins, {"units": "1", "long_name": "margin of the reference"}),
            "margin_result": ("reference", ["converged"] + [str(largest.result.item())] * 2),
            "distance": ("distance", distance, {"units": "1", "long_name": "Hamming distance per weight"}),
            "alpha": ((), alpha, {"units": "patterns per weight", "long_name": "load"}),
        },
    )


def _clusters(alpha: float, margin: float, distance: np.ndarray) -> Any:
    perceptron = fmjax.Perceptron(margin=jnp.asarray(0.0, dtype=float))
    return fmjax.clusters(fmjax.FranzParisi(perceptron, reference_margin=margin), alpha=alpha, distance=distance)


def _robust(engine: Engine, alpha: float, points: int) -> dict[str, Any]:
    """Entropy of infinitely many replicas, against their mutual distance and that from their centre."""
    mutual = np.geomspace(_CLOSEST_REPLICAS, 0.98 * answer("entropy", alpha=alpha)["distance"], points)
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
        for color, (reference, d) in zip(shades(len(_SHOWN)), _SHOWN, strict=True):
            part = dataset.isel(reference=reference).sel(distance=d, method="nearest")
            if str(part.result.item()) != "converged":
                continue
            label = rf"$\tilde\kappa={float(part.reference_margin):.3g},\ d={d:g}$"
            right.plot(0.5 * (1.0 - part.potential_overlap), part.potential, color=color, label=label)
            right.plot(0.5 * (1.0 - part.solution_overlap), -part.solution_complexity, "o", color=color, markersize=4)
        right.set(xlabel="distance inside a cluster $(1-q_1)/2$", ylabel=r"$\partial\phi/\partial m$ at $m=1$")
        right.set(xscale="log", xlim=(1e-6, 0.5))
        right.legend(**_BELOW)
        letter(left, "a")
        letter(right, "b")
    return figure
