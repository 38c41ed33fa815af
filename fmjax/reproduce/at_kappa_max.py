"""Figures 4, 6 and 7: local entropy around solutions of the largest margin, and its slope, for loads around alpha'_U."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmjax.reproduce.engine import USUAL, Engine, along, threshold
from fmjax.reproduce.experiment import draw_points, experiment_variables
from fmjax.reproduce.franz_parisi import curve_variables, distances
from fmjax.reproduce.plotting import binary_entropy, canvas, each, letter, line, mark_unstable, smooth_line, styled

_CAPTION = (
    "{model}. Left: Franz–Parisi entropy around a typical solution of margin κ_max(α), for loads α around α′_U. Right: its "
    "derivative. Inset: the fold at small distance; where the derivative becomes negative before the maximum, α > α′_U. "
    "Pale bands: the replica-symmetric branch is unstable (replicon below 0)."
)
_MEASURED = (
    " Third panel, α = {alpha:g}. Points: belief propagation (BP) biased towards solutions that focusing BP found on random "
    "instances, {units} hidden units; mean and standard deviation over them, open where BP did not converge on all of them. "
    "Line: the theory, of infinitely many units, at the margin half way between the largest sum of a violated pattern and "
    "the smallest of a satisfied one. {seen} Dotted: binary entropy."
)
_SOLVED = 0.5  # a load at which focusing solves every instance of tree committees


def draw(dataset: xr.Dataset) -> Figure:
    """Entropy and slope against distance, with an inset at small distances; the experiment, where there is one."""
    with styled():
        measured = "measured_result" in dataset
        figure, (left, right, *third) = canvas(9.8 if measured else 7.0, 3.1, columns=3 if measured else 2)
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
        for place in third:
            _draw_experiment(place, dataset)
            letter(place, "c")
    return figure


def _draw_experiment(axes: Axes, dataset: xr.Dataset) -> None:
    """What was measured around solutions that were found, over the curve of the theory for the same problem."""
    curve, color = dataset.isel(experiment=0), "black"
    distance, entropy, results = (curve[f"experiment_{name}"] for name in ("distance", "entropy", "result"))
    label = r"theory, $\tilde\kappa=\kappa_{\max}$"
    smooth_line(axes, distance, entropy, curve.experiment_slope, results, color=color, label=label)
    mark_unstable(axes, distance, entropy, curve.experiment_replicon, results, color)
    bound = np.geomspace(1e-6, 0.5, 400)
    axes.plot(bound, binary_entropy(bound), ":", color="0.35", linewidth=1.0, label="binary entropy")
    draw_points(axes, dataset)
    axes.set(xlabel="distance $d$", ylabel=r"local entropy $\phi$ (nats per weight)", xlim=(0, 0.12), ylim=(0, 0.3))
    axes.legend(loc="lower right", title=rf"$\alpha={float(dataset.experiment_alpha):g}$")


class Experiment(NamedTuple):
    """Tree committees on which the theory is tried, at a load where `focusing` solves every instance.

    Attributes:
        units: hidden units.
        damping: of belief propagation. With 0.3, the usual one, it does not end close to solutions of sign units.
        seen: what came out, for the caption.
    """

    units: int
    damping: float
    seen: str


class AtKappaMax:
    """The figure of one architecture.

    Args:
        model: its name in the caption.
        loads: patterns per weight, around alpha'_U.
        activation: of a tree committee; the perceptron without one.
        experiment: on instances of that committee.
    """

    def __init__(self, model: str, loads: list[float], activation: str | None = None, experiment: Experiment | None = None):
        self.TITLE = f"Local entropy around solutions of the largest margin: {model.lower()}"
        self.CAPTION = _CAPTION.format(model=model)
        if experiment:
            self.CAPTION += _MEASURED.format(alpha=_SOLVED, units=experiment.units, seen=experiment.seen)
        self.draw = draw
        self._loads, self._experiment = loads, experiment
        self._model: dict[str, Any] = {"architecture": "committee", "activation": activation} if activation else {}

    def settings(self, quick: bool) -> dict[str, Any]:
        """Loads around alpha'_U and the distances of figure 3; load, units, size, samples and fields of the experiment."""
        chosen = {"alpha": self._loads, "distance": distances(quick).tolist()}
        if self._experiment is None:
            return chosen
        units, damping, _ = self._experiment
        about, samples, fields = (1000, 2, 10) if quick else (4000, 5, 24)
        inputs = 2 * (about // (2 * units)) + 1  # an odd number: no sum of a unit is 0
        experiment = {"alpha": _SOLVED, "units": units, "size": units * inputs, "damping": damping}
        return chosen | {"experiment": experiment | {"samples": samples, "fields": fields}}

    def compute(self, quick: bool, engine: Engine = USUAL) -> xr.Dataset:
        """Local entropy and its slope with the reference at kappa_max, at several loads."""
        chosen = self.settings(quick)
        alphas, distance, experiment = chosen["alpha"], chosen["distance"], chosen.get("experiment")
        tried = [experiment["alpha"]] if experiment else []
        everywhere = engine.grid("kappa-max", alpha=np.union1d(alphas, tried), **self._model)
        largest = everywhere.sel(alpha=alphas)
        references = along("alpha", largest.value)
        # Each curve is a block: all have about the same length.
        found = engine.grid("franz-parisi", 1, alpha=alphas, reference_margin=references, distance=distance, **self._model)
        measured = {}
        if experiment:
            measured = self._measure(engine, everywhere.sel(alpha=tried), distance, **experiment)
        return xr.Dataset(
            curve_variables(found, "alpha") | measured,
            coords={
                "alpha": ("alpha", alphas, {"units": "patterns per weight", "long_name": "load"}),
                **threshold(largest, "reference_margin", "alpha", long_name="kappa_max"),
                "distance": ("distance", distance, {"units": "1", "long_name": "Hamming distance per weight"}),
            },
        )

    def _measure(
        self, engine: Engine, largest: xr.Dataset, distance: list[float], alpha: float, units: int, size: int, **options: Any
    ) -> dict[str, Any]:
        """The experiment, and the curve of the theory at its load and margin."""
        from fmjax.message_passing import Committee

        committee = Committee(self._model["activation"], units, tree=True)
        lattice = committee.lattice(size // units, binary=True)
        margin = lattice.midpoint(0.0) / lattice.root
        controls = {"alpha": [alpha], "margin": margin, "reference_margin": along("alpha", largest.value)}
        # As many distances as of the other curves: the program is compiled already.
        found = engine.grid("franz-parisi", 1, **controls, distance=distance, **self._model)
        return (
            curve_variables(found, "experiment", "experiment_")
            | threshold(largest, "experiment_reference_margin", "experiment", long_name="kappa_max")
            | {
                "experiment_distance": ("experiment_distance", distance, {"units": "1"}),
                "experiment_alpha": ((), alpha, {"units": "patterns per weight", "long_name": "load"}),
                "experiment_margin": ((), margin, {"units": "1", "long_name": "margin of the solutions in the theory"}),
            }
            | experiment_variables(engine, alpha, size, units=units, activation=self._model["activation"], **options)
        )


PERCEPTRON = AtKappaMax("Perceptron", [0.68, 0.70, 0.72, 0.73, 0.74, 0.76, 0.80])
RELU = AtKappaMax(
    "Tree committee of ReLU units",
    [0.72, 0.74, 0.76, 0.77, 0.78, 0.80, 0.84],
    "relu",
    Experiment(50, 0.3, "They lie on it up to d ≈ 0.02, and then up to 0.01 above."),
)
SIGN = AtKappaMax(
    "Tree committee of sign units",
    [0.50, 0.52, 0.54, 0.55, 0.57, 0.60, 0.64],
    "sign",
    Experiment(9, 0.8, "They lie above it, by 0.02 to 0.05: these are no typical solutions of the largest margin."),
)
