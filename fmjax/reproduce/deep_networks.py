"""Figure 8: binary multilayer networks on images: train error and overlaps against P, local energy at the threshold."""

import dataclasses
import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from fmjax.reproduce.engine import USUAL, Engine, fingerprint
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
    return {"studies": [_listed(study) for study in _studies(quick)]}


def _listed(study: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(study).items()}


def compute(quick: bool, engine: Engine = USUAL) -> xr.Dataset:
    """One study after the other, from where its training was left; a data set that is not here leaves its reason."""
    from fmjax import networks

    studies: list[xr.Dataset] = []
    for study in _studies(quick):
        kept = None if engine.directory is None else engine.directory / f"{study.dataset}-{fingerprint(_listed(study))}"
        try:
            found = networks.run(study, checkpoints=kept, progress=engine.progress)
        except FileNotFoundError as error:
            found = xr.Dataset({"result": ((), f"{error}; then remove this file, to compute it again")})
        else:
            found = found.drop_vars(["loss", "first", "second"]).reset_index("patterns").reset_coords("patterns")
            found = found.rename_dims(patterns="load").drop_attrs(deep=False)
            found = found.assign_coords({name: np.arange(found.sizes[name]) for name in ("load", "pair", "random_pair")})
        studies.append(found)
    names = [study.dataset for study in _studies(quick)]
    return xr.concat(
        studies, xr.Variable("dataset", names), join="outer", data_vars="all", coords="minimal", compat="override"
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
    energy = part.sel(part="all")
    inset.errorbar(part.fraction, energy.mean_local_energy, energy.mean_local_energy_error, color="0.1", linewidth=0.9)
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
