"""Datasets and thresholds of a run whose numbers are like the paper's."""

import numpy as np
import xarray as xr

DISTANCE = np.concatenate([np.geomspace(3e-4, 0.1, 40), np.linspace(0.12, 0.5, 20)])
TOP = 0.314  # entropy of typical solutions
PHASES = ("isolated", "negative", "kappa_min", "not monotonic", "kappa_u", "monotonic", "kappa_max")
DIPS = (0.3, 0.06, 0.038, 0.03, 0.01, 0.001, 0.0)  # how deep each curve bends down around its fold
ENDED = "the branch ends"


def curve(dip, top=TOP):
    """A local entropy that rises to its maximum at 0.3, less a dip on the scale of the fold; and its slope."""

    fold, width = 2e-3, 1.2 if dip >= 0.3 else 0.8  # down to the smallest distances, or not

    def entropy(d):
        rise = np.sqrt(d / 0.3) * (1.5 - 0.5 * d / 0.3)
        return top * rise - dip * np.exp(-((np.log(d / fold) / width) ** 2))

    step = 1e-6 * DISTANCE
    return entropy(DISTANCE), (entropy(DISTANCE + step) - entropy(DISTANCE - step)) / (2 * step)


def curves(dimension, names, dips, **coordinates):
    entropy, slope = (np.array(values) for values in zip(*map(curve, dips), strict=True))
    grid, size = (dimension, "distance"), len(names)
    return xr.Dataset(
        {
            "entropy": (grid, entropy),
            "slope": (grid, slope),
            "error_estimate": (grid, np.full(entropy.shape, 1e-10)),
            "result": (grid, np.full(entropy.shape, "converged", dtype=object)),
            "reference_margin": (dimension, np.linspace(0, 0.4, size)),
        },
        coords={dimension: list(names), "distance": DISTANCE, **coordinates},
    )


def nearby():
    """The curves of all references but the isolated one, to be read at the smallest distances."""
    near = curves("near_phase", PHASES[1:], DIPS[1:]).drop_vars("reference_margin")
    return near.rename({name: f"near_{name}" for name in ("distance", "entropy", "slope", "error_estimate", "result")})


def experiment(above=0.01, units=1):
    at = np.array([0.2, 0.06, 0.01])
    entropy = np.interp(at, DISTANCE, curve(0.0)[0]) + above
    return {
        "measured_result": (("sample", "field"), np.full((4, 3), "converged", dtype=object)),
        "solved": ("sample", [True] * 4),
        "experiment_size": ((), 501),
        "experiment_units": ((), units),
        **{f"mean_{name}": ("field", values) for name, values in (("distance", at), ("entropy", entropy))},
        **{f"std_{name}": ("field", np.full(3, 2e-3)) for name in ("distance", "entropy")},
    }


def typical():
    alphas, largest = np.array([0.2, 0.5]), np.array([1.2, 0.4])
    fraction = np.linspace(0, 1, 5)
    entropy = np.array([[0.55], [TOP]]) * (1 - fraction)
    grid = ("alpha", "fraction")
    loads = np.array([0.1, 0.5, 0.8, 0.84])
    return xr.Dataset(
        {
            "distance": (grid, np.array([[0.4], [0.3]]) - 0.1 * fraction),
            "entropy": (grid, entropy),
            "error_estimate": (grid, np.full((2, 5), 1e-12)),
            "result": (grid, np.full((2, 5), "converged", dtype=object)),
            "kappa_max": ("alpha", largest),
            "largest_margin": ("fine_alpha", [2.0, 0.4, 0.03, -0.01]),
            "largest_margin_result": ("fine_alpha", np.full(4, "converged", dtype=object)),
        },
        coords={"alpha": alphas, "fraction": fraction, "fine_alpha": loads},
    )


def loads(*at):
    return curves("alpha", at, (0.0, 0.001, 0.02, 0.05))


def tried(dataset, above):
    """With an experiment on committees, so much above the curve at its load."""
    theory = curves("experiment", [0], [0.0]).drop_vars("experiment")
    names = ("distance", "entropy", "slope", "error_estimate", "result", "reference_margin")
    renamed = theory.rename({name: f"experiment_{name}" for name in names})
    return dataset.assign(experiment(above, units=9)).merge(renamed, compat="override")


def diagram():
    alphas = np.array([0.3, 0.5, 0.74])
    return xr.Dataset(
        {
            "kappa_max": ("fine_alpha", [2.0, 0.4, 0.03]),
            "kappa_max_result": ("fine_alpha", ["converged"] * 3),
            "kappa_min": ("alpha", [0.01, 0.03, 0.08]),
            "kappa_min_result": ("alpha", ["converged"] * 3),
            "kappa_u": ("alpha", [0.015, 0.036, np.nan]),
            "kappa_u_result": ("alpha", np.array(["converged", "converged", ENDED], dtype=object)),
            "alpha_u": 0.729,
            "alpha_u_error_estimate": 1e-12,
            "alpha_u_result": "converged",
        },
        coords={"fine_alpha": [0.1, 0.5, 0.8], "alpha": alphas},
    )


def networks(name="mnist-odd-even"):
    fraction = np.array([0.0, 0.1, 0.5])
    part = xr.Dataset(
        {
            "patterns": ("load", [100, 200, 300]),
            "mean_train_error": ("load", [0.0, 0.0, 0.02]),
            "mean_overlap": ("load", [0.3, 0.4, 0.45]),
            "mean_overlap_error": ("load", [0.01, 0.01, 0.01]),
            "mean_local_energy": ("fraction", [0.0, 0.05, 0.9]),
            "slope": 0.2,
            "slope_error": 0.1,
            "threshold": 200.0,
            "local_energy_patterns": 200,
            "mean_random_overlap": 0.25,
            "result": "converged",
        },
        coords={"fraction": fraction},
    )
    return part.expand_dims(dataset=[name])


def one_step():
    grid, shape = ("reference", "distance"), (2, 3)
    entropy = np.array([[-0.1, 0.02, 0.1], [0.01, 0.03, 0.1]])
    return xr.Dataset(
        {
            "entropy": (grid, entropy),
            "symmetric_entropy": (grid, entropy.copy()),
            "replicon": (grid, np.full(shape, 0.5)),
            "stable_clusters": (grid, np.zeros(shape, int)),
            "error_estimate": (grid, np.full(shape, 1e-10)),
            "result": (grid, np.full(shape, "converged", dtype=object)),
        },
        coords={"distance": [1e-3, 1e-2, 0.1]},
    )


def ensembles():
    """Two references and the best centres, with an experiment half way between them."""
    best = curve(0.0)[0] + 0.02
    results = np.full((1, DISTANCE.size), "converged", dtype=object)
    around = {"centred_entropy": (("ensemble", "distance"), [best]), "centred_result": (("ensemble", "distance"), results)}
    whole = curves("reference", [0, 1], (0.3, 0.0)).assign(around).assign(experiment())
    return whole.assign_coords(ensemble=["typical"])


def references():
    """Two references of a margin, and two minima of the cross-entropy, of which only the second is free of errors."""
    whole, minima = curves("reference", [0, 1], (0.3, 0.0)), curves("drawn", [0, 1], (0.3, 0.0))
    names = ("entropy", "slope", "error_estimate", "result")
    drawn = minima[list(names)].rename({name: f"drawn_{name}" for name in names})
    drawn["drawn_entropy"] += 0.005
    return whole.merge(drawn).assign(minimum=("drawn", [True, True]), drawn_error=("drawn", [3e-3, 1e-9]))


def figures():
    return {
        "2": typical(),
        "3": curves("phase", PHASES, DIPS, alpha=0.5).assign(experiment()).merge(nearby()),
        "4": loads(0.7, 0.72, 0.73, 0.76),
        "5": typical(),
        "6": tried(loads(0.74, 0.77, 0.78, 0.8), 0.005),
        "7": tried(loads(0.54, 0.55, 0.57, 0.6), 0.03),
        "8": networks(),
        "phase-diagram": diagram(),
        "one-step": one_step(),
        "ensembles": ensembles(),
        "references": references(),
    }


VALUES = {
    "capacity": 0.8330786,
    "kappa_min": 0.029,
    "kappa_u": 0.036,
    "kappa_max": 0.418,
    "alpha_u": 0.729,
    "alpha_u distance": 0.005,
    "alpha_u, relu committee": 0.7725,
    "capacity, relu committee": 0.904,
    "alpha_u, sign committee": 0.558,
    "capacity, sign committee": 0.947,
}


def rows(**changes):
    values = VALUES | changes
    return {key: {"value": value, "error_estimate": 1e-12, "result": "converged"} for key, value in values.items()}
