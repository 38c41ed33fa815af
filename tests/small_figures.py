"""Datasets and thresholds of the right form, and figures that cost nothing and give them."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from fmjax.reproduce import one_step, report, running
from fmjax.reproduce.plotting import binary_entropy

ENDED = "the branch could not be followed to this distance: it ends, or turns, before it"


def margins(lost=()):
    alphas, fractions = np.array([0.3, 0.6]), np.linspace(0, 1, 5)
    largest = np.array([0.9, 0.4])
    results = np.full((2, 5), "converged", dtype=object)
    for place in lost:
        results[place] = ENDED
    grid = ("alpha", "fraction")
    margin = largest[:, None] * fractions
    return xr.Dataset(
        {
            "margin": (grid, margin),
            "distance": (grid, 0.4 - 0.2 * margin),
            "entropy": (grid, largest[:, None] - margin),
            "error_estimate": (grid, np.full((2, 5), 1e-12)),
            "result": (grid, results),
            "kappa_max": ("alpha", largest),
            "kappa_max_result": ("alpha", ["converged", "converged"]),
            "largest_margin": ("fine_alpha", [1.0, 0.5, 0.0]),
            "largest_margin_result": ("fine_alpha", ["converged"] * 3),
        },
        coords={"alpha": alphas, "fraction": fractions, "fine_alpha": [0.2, 0.5, 0.83]},
    )


def curves(dimension, names, lost=(), **coordinates):
    distances = np.geomspace(1e-3, 0.5, 9)
    size = len(names)
    results = np.full((size, 9), "converged", dtype=object)
    for place in lost:
        results[place] = ENDED
    grid = (dimension, "distance")
    values = np.linspace(0.5, 1, size)[:, None] * binary_entropy(distances)
    slope = np.linspace(0.5, 1, size)[:, None] * np.log((1 - distances) / distances)
    margin = (dimension, np.linspace(0, 0.4, size))
    return xr.Dataset(
        {
            "entropy": (grid, values),
            "slope": (grid, slope),
            "replicon": (grid, np.full((size, 9), 0.5)),
            "error_estimate": (grid, np.full((size, 9), 1e-12)),
            "result": (grid, results),
        },
        coords={dimension: names, "distance": distances, "reference_margin": margin, **coordinates},
    )


PHASES = ["isolated", "negative", "kappa_min", "not monotonic", "kappa_u", "monotonic", "kappa_max"]


def phases(lost=()):
    whole = curves("phase", PHASES, lost, alpha=0.5)
    near = whole.isel(phase=slice(1, None)).drop_vars("reference_margin").rename(phase="near_phase")
    near = near.rename(
        {name: f"near_{name}" for name in ("distance", "entropy", "slope", "error_estimate", "replicon", "result")}
    )
    return whole.merge(near, compat="override").assign(
        measured_result=(("sample", "field"), np.full((2, 3), "converged", dtype=object)),
        solved=("sample", [True, True]),
        experiment_size=501,
        experiment_units=1,
        **{f"mean_{name}": ("field", [0.3, 0.1, 0.015]) for name in ("distance", "entropy")},
        **{f"std_{name}": ("field", [0.02, 0.01, 0.001]) for name in ("distance", "entropy")},
    )


def loads(lost=()):
    return curves("alpha", [0.73, 0.76, 0.79], lost)


def tried():
    """Loads, and an experiment on committees at another one with its own curve."""
    whole = loads()
    own = whole.isel(alpha=[0]).rename(alpha="experiment").drop_vars("experiment")
    own = own.rename({name: f"experiment_{name}" for name in (*own.data_vars, "distance", "reference_margin")})
    points = phases()[["measured_result", "mean_distance", "mean_entropy", "std_distance", "std_entropy"]]
    about = {"experiment_alpha": 0.5, "experiment_size": 501, "experiment_units": 9}
    return whole.merge(own).merge(points.drop_vars(points.coords), compat="override").assign(about)


def diagram(**changes):
    data = {
        "kappa_max": ("fine_alpha", [1.2, 0.5, 0.05]),
        "kappa_max_result": ("fine_alpha", ["converged"] * 3),
        "kappa_min": ("alpha", [0.1, 0.2, np.nan]),
        "kappa_min_result": ("alpha", ["converged", "converged", ENDED]),
        "kappa_u": ("alpha", [0.2, 0.3, np.nan]),
        "kappa_u_result": ("alpha", ["converged", "converged", ENDED]),
        "alpha_u": 0.76,
        "alpha_u_error_estimate": 1e-12,
        "alpha_u_margin": 0.08,
        "alpha_u_result": "converged",
    }
    return xr.Dataset(data | changes, coords={"fine_alpha": [0.1, 0.5, 0.8], "alpha": [0.2, 0.5, 0.8]})


def broken(lost_shown=()):
    """Three references, of which the first has no solutions at the first two distances."""
    distances = np.unique([0.02, 0.3, *(d for _, d in one_step._SHOWN)])
    shape, grid = (3, distances.size), ("reference", "distance")
    entropy = 0.5 * np.tile(binary_entropy(distances), (3, 1))
    entropy[0, :2] = -0.01
    results = np.full(shape, "converged", dtype=object)
    overlap = np.linspace(0.9, 1 - 1e-7, 11)
    return xr.Dataset(
        {
            "entropy": (grid, entropy),
            "symmetric_entropy": (grid, entropy),
            "error_estimate": (grid, np.full(shape, 1e-10)),
            "stable_clusters": (grid, np.zeros(shape, int)),
            "slope": (grid, 0.5 * np.tile(np.log((1 - distances) / distances), (3, 1))),
            "replicon": (grid, np.full(shape, 0.5)),
            "result": (grid, results),
            "shown_margin": ("shown", 0.1 * np.array([place for place, _ in one_step._SHOWN])),
            "shown_distance": ("shown", [d for _, d in one_step._SHOWN]),
            "shown_result": ("shown", np.array([ENDED if i in lost_shown else "converged" for i in range(5)], dtype=object)),
            "potential_overlap": (("shown", "scan"), np.broadcast_to(overlap, (5, 11))),
            "potential": (("shown", "scan"), np.broadcast_to(-0.01 * (overlap - 0.9), (5, 11))),
            "barrier_overlap": ("shown", np.full(5, 0.95)),
            "barrier_complexity": ("shown", np.full(5, 0.01)),
            "centre_distance": ("point", np.linspace(0.01, 0.1, 5)),
            "robust_entropy": ("point", np.linspace(0.01, 0.1, 5)),
            "robust_result": ("point", ["converged"] * 5),
        },
        coords={"distance": distances, "reference_margin": ("reference", [0.0, 0.1, 0.2])},
    )


def broken_ensembles():
    """Two references, two ensembles around centres, of which the first lost its first row, and one without a centre."""
    whole = phases().isel(phase=[0, -1]).rename(phase="reference")
    near = [name for name in whole.variables if name.startswith("near_")]
    grid, size = ("ensemble", "distance"), whole.sizes["distance"]
    results = np.full((2, size), "converged", dtype=object)
    results[0, 0] = ENDED
    return (
        whole.drop_vars(near)
        .assign(
            centred_entropy=(grid, np.linspace(0.01, 0.2, 2 * size).reshape(2, size)),
            centred_result=(grid, results),
            robust_entropy=("robust_distance", [0.1, 0.2, 0.25]),
            robust_result=("robust_distance", ["converged"] * 3),
        )
        .assign_coords(ensemble=["typical", "infinite"], robust_distance=[0.01, 0.05, 0.1])
    )


def soft_references():
    """Two references of a margin, and two that are drawn with a cross-entropy, the second of which ends early."""
    whole = phases().isel(phase=[0, -1]).rename(phase="reference")
    size, grid = whole.sizes["distance"], ("drawn", "distance")
    results = np.full((2, size), "converged", dtype=object)
    results[1, 0] = ENDED
    values = np.linspace(0.01, 0.2, 2 * size).reshape(2, size)
    near = [name for name in whole.variables if name.startswith("near_")]
    drawn = {f"drawn_{name}": (grid, values) for name in ("entropy", "slope", "replicon")}
    return whole.drop_vars(near).assign(
        **drawn,
        drawn_result=(grid, results),
        drawn_error=("drawn", [1e-9, 1e-2]),
        minimum=("drawn", [True, False]),
        sharpness=("drawn", [4.0, 4.0]),
        beta=("drawn", [25.0, 5.0]),
    )


def measured(**changes):
    values = {"capacity": 0.83307859973957923, "overlap at capacity": 0.563949080, "conjugate at capacity": 2.57635132}
    values |= {
        row.key: (row.literature.low + row.literature.high) / 2 if row.literature else 0.4
        for row in report.ROWS
        if row.key not in values
    }
    return {
        key: {"value": value, "error_estimate": 1e-12, "result": "converged"} for key, value in (values | changes).items()
    }


@pytest.fixture
def small(monkeypatch):
    """Figures that cost nothing, and the list of what was computed."""
    computed = []

    def module(name, dataset):
        def compute(quick, engine):
            computed.append(name)
            return dataset

        real = running.figures[name]
        return SimpleNamespace(
            settings=real.settings, compute=compute, draw=real.draw, TITLE=real.TITLE, CAPTION=real.CAPTION
        )

    data = {
        "2": margins(),
        "3": phases(lost=[(0, 0)]),
        "4": loads(),
        "5": margins(),
        "phase-diagram": diagram(),
        "one-step": broken(),
    }
    monkeypatch.setattr(running, "figures", {name: module(name, dataset) for name, dataset in data.items()})

    monkeypatch.setattr(report, "measure_all", lambda engine: measured())
    return computed


def contents(out):
    """What is in every file of a directory, by its place."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
