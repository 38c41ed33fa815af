"""Points of figures 3, 6 and 7: local entropy around solutions that were found, to be laid over a curve of the theory."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from fmjax.reproduce.engine import Engine
from fmjax.reproduce.plotting import converged


def experiment_variables(
    engine: Engine, alpha: float, size: int, samples: int, fields: int, units: int = 1, **others: Any
) -> dict[str, Any]:
    """Local entropies around solutions that were found, over ``("sample", "field")``, and their averages.

    Args:
        engine: that of the figure: every instance is a block of a sweep.
        alpha: patterns per weight.
        size: weights of each instance.
        samples: number of instances.
        fields: along each solution.
        units: hidden units of a tree committee.
        others: ``activation`` of it, and ``damping`` of belief propagation.
    """
    from fmjax.message_passing.experiment import average, fields_around

    gamma, seeds = fields_around(size, fields), np.arange(samples)
    measured = engine.grid("local-entropy", alpha=alpha, size=size, seed=seeds, gamma=gamma, units=units, **others)
    means, grid = average(measured), ("sample", "field")
    about = {"distance": "1", "entropy": "nats per weight"}
    return {
        "gamma": ("field", gamma, {"units": "1", "long_name": "field along the solution"}),
        "solved": ("sample", measured.errors.to_numpy()[:, 0] == 0, {"long_name": "focusing found a solution"}),
        **{f"measured_{name}": (grid, measured[name].to_numpy(), {"units": unit}) for name, unit in about.items()},
        **{f"mean_{name}": ("field", means[name], {"units": unit}) for name, unit in about.items()},
        **{f"std_{name}": ("field", means[f"{name}_std"], {"units": unit}) for name, unit in about.items()},
        "measured_result": (grid, measured.result.to_numpy()),
        "experiment_size": ((), size, {"units": "weights"}),
        "experiment_units": ((), units, {"long_name": "hidden units"}),
    }


def draw_points(axes: Axes, dataset: xr.Dataset) -> None:
    """Mean over samples with its standard deviation; open symbols where some sample did not converge."""
    whole = converged(dataset.measured_result).all(axis=0)
    units = int(dataset.experiment_units)
    size = f"BP, $N={int(dataset.experiment_size)}$" + (f", $K={units}$" if units > 1 else "")
    for which, face, label in ((whole, "black", size), (~whole, "white", "BP, not all converged")):
        at = dataset.isel(field=np.flatnonzero(which & np.isfinite(dataset.mean_entropy.to_numpy())))
        if at.sizes["field"]:
            places, spread = (at.mean_distance, at.mean_entropy), {"xerr": at.std_distance, "yerr": at.std_entropy}
            style = {"color": "black", "markerfacecolor": face, "markersize": 3.0, "elinewidth": 0.7, "zorder": 4}
            axes.errorbar(*places, **spread, fmt="o", label=label, **style)
