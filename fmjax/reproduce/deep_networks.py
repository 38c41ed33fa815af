"""Figure 8: binary multilayer networks on images: train error and overlaps against P, local energy at the threshold."""

import dataclasses
import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from fmjax.reproduce.engine import USUAL, Engine
from fmjax.reproduce.plotting import styled
from fmjax.sentences import CONVERGED

TITLE = "Solutions of binary multilayer networks on images"
CAPTION = (
    "Train error, and mean overlap of two networks up to permutations and flips of their hidden neurons, against the number "
    "P of training patterns; bars are standard errors over networks. Dashed: the overlap that the matching gives to random "
    "networks. Dotted: the threshold, the largest P that all networks learn. Inset: train error at that P after flipping "
    "a fraction f of the weights."
)


def _studies(quick: bool) -> list[Any]:
    """Digits, or the data sets of the paper."""
    from fmjax.networks import STUDIES

    if quick:
        return [dataclasses.replace(STUDIES["digits"], patterns=(50, 150, 300, 600, 1200), seeds=5, epochs=150)]
    return [STUDIES[name] for name in ("mnist-odd-even", "fashion-mnist", "cifar10")]


def settings(quick: bool) -> dict[str, Any]:
    """The studies."""
    listed = [dataclasses.asdict(study) for study in _studies(quick)]
    return {"studies": [{k: list(v) if isinstance(v, tuple) else v for k, v in study.items()} for study in listed]}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """One study after the other; a data set that is not here leaves its reason."""
    studies = _studies(quick)
    found = [_compute(study, engine) for study in studies]
    names = xr.Variable("dataset", [study.dataset for study in studies])
    return xr.concat(found, names, join="outer", data_vars="all", coords="minimal", compat="override")


def _compute(study: Any, engine: Engine) -> xr.Dataset:
    """Networks at every P, what they have in common, and their local energy at the threshold."""
    import jax

    from fmjax import networks
    from fmjax.networks.study import FIT_UP_TO, side_of

    depth, seeds = len(study.hidden), np.arange(study.seeds)
    controls = {"patterns": study.patterns, "width": study.hidden[0], "depth": depth, "epochs": study.epochs}
    ensemble = {"seed": seeds, "fraction": study.fractions, "draws": study.draws}
    try:
        found = engine.grid("networks", dataset=study.dataset, **controls, **ensemble)
    except FileNotFoundError as error:
        return xr.Dataset({"result": ((), f"{error}; the same command then adds it")})
    task, one = networks.load_task(study.dataset), found.isel(fraction=0)
    errors, overlaps, energy = (part.to_numpy() for part in (one.train_error, one.overlap, found.local_energy))
    threshold, low, high = networks.threshold(study.patterns, errors)
    at = 0 if np.isnan(threshold) else study.patterns.index(int(threshold))
    there = energy[at]
    shape = networks.shape_at_zero(study.fractions, there[:, None, :, None], FIT_UP_TO)
    chance = networks.random_networks((task.inputs.shape[1], *study.hidden, task.outputs), study.seeds, jax.random.key(0))
    means = [networks.mean_over_networks(part) for part in (*overlaps, networks.overlaps_with_others(chance))]
    (*overlap, at_random), scatter = means, np.sqrt(study.seeds)
    return xr.Dataset(
        {
            "patterns": ("load", list(study.patterns), {"long_name": "training patterns P"}),
            "train_error": (("load", "seed"), errors, {"long_name": "fraction of training patterns wrong"}),
            "mean_train_error": ("load", errors.mean(axis=1)),
            "mean_train_error_error": ("load", errors.std(axis=1, ddof=1) / scatter, {"of": "standard, over networks"}),
            "overlap": (("load", "seed"), overlaps, {"long_name": "mean matched overlap with the other networks"}),
            "mean_overlap": ("load", [mean for mean, _ in overlap]),
            "mean_overlap_error": ("load", [error for _, error in overlap], {"of": "jackknife over networks"}),
            "mean_random_overlap": ((), at_random[0], {"long_name": "of random networks: what the matching creates"}),
            "mean_random_overlap_error": ((), at_random[1]),
            "threshold": ((), threshold, {"units": "patterns", "long_name": "largest P with zero average train error"}),
            "threshold_low": ((), low, {"units": "patterns", "long_name": "2.5 % percentile of the bootstrap over seeds"}),
            "threshold_high": ((), high, {"units": "patterns", "long_name": "97.5 % percentile"}),
            "local_energy_patterns": ((), study.patterns[at], {"long_name": "P of its mean: the threshold if there is one"}),
            "local_energy": (("load", "seed", "fraction"), energy, {"long_name": "train error, mean over draws"}),
            "mean_local_energy": ("fraction", there.mean(axis=0)),
            "mean_local_energy_error": ("fraction", there.std(axis=0, ddof=1) / scatter),
            **{name: ((), value[0], {"fit": f"fractions up to {FIT_UP_TO}"}) for name, value in shape._asdict().items()},
            "result": ((), side_of(threshold, study.patterns)),
        },
        coords={
            "load": np.arange(len(study.patterns)),
            "seed": seeds,
            "fraction": ("fraction", list(study.fractions), {"long_name": "probability to flip a weight"}),
        },
    )


def draw(dataset: xr.Dataset) -> Figure:
    """One column per data set: train error with the local energy as inset, and below it overlaps."""
    with styled():
        count = dataset.sizes["dataset"]
        figure = Figure(figsize=(3.4 * count, 3.9), layout="constrained")
        panels = figure.subplots(2, count, sharex="col", squeeze=False)
        for index, (top, bottom) in enumerate(panels.T):
            part = dataset.isel(dataset=index)
            top.set_title(str(part.dataset.item()))
            if "patterns" in part and bool(part.patterns.notnull().any()):
                part = part.dropna("load", subset=["patterns"])
                _train_error(top, part)
                _overlap(bottom, part)
            else:
                top.text(0.0, 0.5, textwrap.fill(str(part.result.item()), 44), fontsize=7, va="center")
                top.set_axis_off()
                bottom.set_axis_off()
    return figure


_BARS: dict[str, Any] = {"marker": "o", "capsize": 1.5}


def _threshold_line(axes: Axes, part: xr.Dataset) -> None:
    if str(part.result.item()) == CONVERGED:
        axes.axvline(float(part.threshold), color="0.3", linestyle=":", linewidth=0.9)


def _train_error(axes: Axes, part: xr.Dataset) -> None:
    axes.errorbar(part.patterns, part.mean_train_error, part.mean_train_error_error, color="#D55E00", **_BARS)
    axes.set(ylabel="train error", xscale="log")
    axes.set_ylim(0.0, max(1e-3, 1.3 * float(part.mean_train_error.max())))
    _threshold_line(axes, part)
    inset = axes.inset_axes((0.13, 0.36, 0.38, 0.56))
    inset.errorbar(part.fraction, part.mean_local_energy, part.mean_local_energy_error, color="0.1", linewidth=0.9)
    inset.set(xlim=(0.0, None), ylim=(0.0, None))
    inset.set_xlabel("flipped $f$", fontsize=6.5, labelpad=1)
    inset.set_title(f"error at $P={int(part.local_energy_patterns)}$", fontsize=6.5)
    inset.tick_params(labelsize=6)


def _overlap(axes: Axes, part: xr.Dataset) -> None:
    axes.errorbar(part.patterns, part.mean_overlap, part.mean_overlap_error, label="trained", color="#0072B2", **_BARS)
    axes.axhline(float(part.mean_random_overlap), label="random", color="0.45", linestyle="--", linewidth=0.9)
    axes.set(xlabel="training patterns $P$", ylabel="matched overlap", ylim=(0.0, 1.0))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    _threshold_line(axes, part)
    axes.legend()
