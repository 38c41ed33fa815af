"""Figure 8: binary multilayer networks on images: train error and overlaps against P, local energy at the threshold."""

import dataclasses
import textwrap
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fmjax.reproduce.plotting import canvas, styled
from fmjax.reproduce.solving import CONVERGED, Progress, silent

TITLE = "Solutions of binary multilayer networks on images"
CAPTION = (
    "Train error (orange, left axis) and mean overlap of two networks up to permutations and flips of their hidden neurons "
    "(blue, right axis) against the number P of training patterns; bars are standard errors over networks. Dashed: the "
    "overlap that the matching gives to random networks. Dotted: the threshold, the largest P that all networks learn. "
    "Inset: train error at that P after flipping a fraction f of the weights."
)


def _studies(quick: bool) -> list[Any]:
    """Digits, or the data sets of the paper."""
    from fmjax.networks import STUDIES

    if quick:
        return [dataclasses.replace(STUDIES["digits"], patterns=(50, 100, 200, 300, 600, 1200), seeds=5, epochs=150)]
    return [STUDIES[name] for name in ("mnist-odd-even", "fashion-mnist", "cifar10")]


def settings(quick: bool) -> dict[str, Any]:
    """The studies."""
    return {"studies": [_listed(study) for study in _studies(quick)]}


def _listed(study: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(study).items()}


def compute(quick: bool, progress: Progress = silent) -> xr.Dataset:
    """One study after the other; a data set that is not here leaves its reason instead of numbers."""
    from fmjax import networks

    studies: list[xr.Dataset] = []
    for study in _studies(quick):
        try:
            found = networks.run(study, progress=progress)
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
    """One panel per data set."""
    with styled():
        count = dataset.sizes["dataset"]
        figure, panels = canvas(3.5 * count, 2.9, columns=count)
        for axes, index in zip(np.atleast_1d(panels), range(count), strict=True):
            part = dataset.isel(dataset=index)
            axes.set_title(str(part.dataset.item()))
            if "mean_overlap" in part and bool(part.mean_overlap.notnull().any()):
                _panel(axes, part.dropna("load", subset=["patterns"]))
            else:
                axes.set_axis_off()
                axes.text(0.0, 0.5, textwrap.fill(str(part.result.item()), 44), fontsize=7, va="center")
    return figure


_ERROR, _OVERLAP, _RANDOM = "#D55E00", "#0072B2", "0.45"


def _panel(axes: Axes, part: xr.Dataset) -> None:
    patterns = part.patterns.to_numpy()
    bars = {"marker": "o", "capsize": 1.5}
    axes.errorbar(patterns, part.mean_train_error, part.mean_train_error_error, color=_ERROR, **bars)
    axes.set(xlabel="training patterns $P$", xscale="log")
    axes.set_ylabel("train error", color=_ERROR)
    axes.set_ylim(0.0, max(1e-3, 2.2 * float(part.mean_train_error.max())))
    right = axes.twinx()
    right.spines["right"].set_visible(True)
    right.errorbar(patterns, part.mean_overlap, part.mean_overlap_error, color=_OVERLAP, **bars)
    right.axhline(float(part.mean_random_overlap), color=_RANDOM, linestyle="--", linewidth=0.9)
    right.set_ylabel("matched overlap", color=_OVERLAP)
    right.set_ylim(0.0, 1.0)
    if str(part.result.item()) == CONVERGED:
        axes.axvline(float(part.threshold), color="0.3", linestyle=":", linewidth=0.9)
    inset = right.inset_axes((0.12, 0.62, 0.36, 0.34))
    energy = part.sel(part="all")
    inset.errorbar(part.fraction, energy.mean_local_energy, energy.mean_local_energy_error, color="0.1", linewidth=0.9)
    inset.set(xlim=(0.0, None), ylim=(0.0, None))
    inset.set_xlabel("flipped $f$", fontsize=6.5, labelpad=1)
    inset.set_title(f"error at $P={int(part.local_energy_patterns)}$", fontsize=6.5)
    inset.tick_params(labelsize=6)
