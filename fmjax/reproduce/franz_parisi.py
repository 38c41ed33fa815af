"""Figure 3: local entropy against distance: theory, one curve in each phase of the reference's margin, and experiment."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, along
from fmjax.reproduce.experiment import draw_points, experiment_variables
from fmjax.reproduce.plotting import binary_entropy, canvas, each, letter, mark_unstable, smooth_line, styled

TITLE = "Local entropy around references of growing margin"
CAPTION = (
    "Left: Franz–Parisi entropy of solutions at distance d from a typical solution of margin κ̃, at α = 0.5: one curve in "
    "each phase and the two critical ones. At κ̃ = 0 the reference is isolated; up to κ_min the entropy is negative at "
    "some distance; up to κ_u it is positive but not monotonic; beyond, it rises up to its maximum. Dotted: binary "
    "entropy, the bound. Points: belief propagation (BP) biased towards solutions that focusing BP found on random "
    "instances; mean and standard deviation over them, open where BP did not converge on all of them. Right: small "
    "distances. Curves end where the replica-symmetric branch does; pale bands mark where it is unstable (replicon below 0)."
)


def settings(quick: bool) -> dict[str, Any]:
    """The load, the distances and the nearest of all; size, samples and fields of the experiment."""
    experiment = {"size": 2001, "samples": 5, "fields": 12} if quick else {"size": 10_001, "samples": 10, "fields": 24}
    return {"alpha": 0.5, "distance": distances(quick).tolist(), "nearest": 1e-6, "experiment": experiment}


def distances(quick: bool) -> np.ndarray:
    """Distances of figures 3 and 4: logarithmic where folds are, linear beyond; the same number in both."""
    near, far = (44, 20) if quick else (120, 60)
    return np.concatenate([np.geomspace(3e-4, 0.1, near), np.linspace(0.1, 0.5, far + 1)[1:]])


_ABOUT: dict[str, dict[str, str]] = {
    "entropy": {"units": "nats per weight", "long_name": "local entropy phi"},
    "slope": {"units": "nats per weight", "long_name": "d phi / d distance"},
    "replicon": {"units": "1", "long_name": "replicon eigenvalue, positive: RS is stable"},
    "residual": {"units": "nats per weight"},
    "error_estimate": {"units": "nats per weight", "of": "entropy and slope"},
    "result": {},
}


def curve_variables(found: xr.Dataset, first: str, prefix: str = "") -> dict[str, Any]:
    """Variables of curves over ``(first, "distance")``; the prefix is that of names and distance."""
    axes = (first, f"{prefix}distance")
    return {f"{prefix}{name}": (axes, found[name].to_numpy(), about) for name, about in _ABOUT.items()}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """Local entropy around references at margins 0 < ... < kappa_min < ... < kappa_u < ... < kappa_max."""
    chosen = settings(quick)
    alpha = chosen["alpha"]
    found = [engine.grid(name, alpha=alpha) for name in ("kappa-min", "kappa-u", "kappa-max")]
    low, high, most = (float(one.value) for one in found)
    reached = ["converged", *(str(one.result.item()) for one in found)]
    margins = np.array([0.0, 0.5 * low, low, 0.5 * (low + high), high, 0.5 * (high + most), most])
    phases = ["isolated", "negative", "kappa_min", "not monotonic", "kappa_u", "monotonic", "kappa_max"]
    curve = engine.grid(
        "franz-parisi", 1, alpha=alpha, reference_margin=along("point", margins), distance=chosen["distance"]
    )
    # Around isolated solutions the branch ends; around others phi is positive again, but for small margins only below 1e-4.
    near = np.geomspace(chosen["nearest"], 0.1, len(chosen["distance"]))  # as many: the program is compiled already
    nearby = engine.grid("franz-parisi", 1, alpha=alpha, reference_margin=along("point", margins[1:]), distance=near)
    return xr.Dataset(
        curve_variables(curve, "phase")
        | curve_variables(nearby, "near_phase", "near_")
        | experiment_variables(engine, alpha, **chosen["experiment"]),
        coords={
            "phase": ("phase", phases),
            "reference_margin": ("phase", margins, {"units": "1", "long_name": "margin of the reference"}),
            "margin_result": ("phase", [reached[place] for place in (0, 1, 1, 2, 2, 3, 3)]),
            "distance": ("distance", chosen["distance"], {"units": "1", "long_name": "Hamming distance per weight"}),
            "near_phase": ("near_phase", phases[1:]),
            "near_distance": ("near_distance", near, {"units": "1", "long_name": "Hamming distance per weight"}),
            "alpha": ((), alpha, {"units": "patterns per weight", "long_name": "load"}),
        },
    )


_SYMBOLS = {"kappa_min": r"=\kappa_{\min}", "kappa_u": r"=\kappa_u", "kappa_max": r"=\kappa_{\max}"}


def draw(dataset: xr.Dataset) -> Figure:
    """Entropy against distance, one curve per phase; once in full, once at small distances."""
    with styled():
        figure, (left, right) = canvas(7.0, 3.3, columns=2)
        bound = np.geomspace(1e-6, 0.5, 400)
        for place in (left, right):
            place.plot(bound, binary_entropy(bound), ":", color="0.35", linewidth=1.0, label="binary entropy")
            place.axhline(0.0, color="0.6", linewidth=0.6)
            place.set(xlabel="distance $d$", ylabel=r"local entropy $\phi$ (nats per weight)")
        for color, part in each(dataset, "phase"):
            phase = str(part.phase.item())
            label = rf"$\tilde\kappa{_SYMBOLS.get(phase, '')}={float(part.reference_margin):.3g}$"
            style = {"color": color, "linestyle": "--" if phase in {"kappa_min", "kappa_u"} else "-"}
            for place in (left, right):
                smooth_line(place, part.distance, part.entropy, part.slope, part.result, label=label, **style)
                mark_unstable(place, part.distance, part.entropy, part.replicon, part.result, color)
        for place in (left, right):
            draw_points(place, dataset)
        left.set(xlim=(0, 0.5), ylim=(None, 0.98))
        left.legend(loc="upper left", ncols=2, columnspacing=1.0)
        right.set(xlim=(0, 0.02), ylim=(-0.015, 0.05), xticks=[0, 0.005, 0.01, 0.015, 0.02])
        letter(left, "a")
        letter(right, "b")
    return figure


def around_two_margins(dataset: xr.Dataset, colors: tuple[str, str], linestyle: str = "-") -> tuple[Figure, Any]:
    """A canvas against the logarithm of the distance: the bound, and curves around margin 0 and the largest one."""
    figure, axes = canvas(6.6, 3.7)
    bound = np.geomspace(1e-4, 0.5, 400)
    axes.plot(bound, binary_entropy(bound), ":", color="0.35", linewidth=1.0, label="binary entropy")
    axes.axhline(0.0, color="0.6", linewidth=0.6)
    names = r"$\tilde\kappa=0$", rf"$\tilde\kappa=\kappa_{{\max}}={float(dataset.reference_margin[1]):.3g}$"
    for color, name, index in zip(colors, names, range(2), strict=True):
        part = dataset.isel(reference=index)
        look = {"color": color, "linestyle": linestyle, "label": name}
        smooth_line(axes, part.distance, part.entropy, part.slope, part.result, **look)
        mark_unstable(axes, part.distance, part.entropy, part.replicon, part.result, color)
    low, high = float(dataset.distance.min()), float(dataset.distance.max())
    axes.set(xlabel="distance $d$", ylabel="entropy (nats per weight)", xscale="log", xlim=(low, high), ylim=(-0.02, 0.3))
    return figure, axes
