"""Points of figures 3, 6 and 7: local entropy around solutions that were found, to be laid over a curve of the theory."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from fmjax.progress import Progress
from fmjax.reproduce.plotting import converged

if TYPE_CHECKING:
    from fmjax.message_passing import Committee


def experiment_variables(
    alpha: float,
    size: int,
    samples: int,
    fields: int,
    progress: Progress,
    committee: "Committee | None" = None,
    damping: float | None = None,
) -> dict[str, Any]:
    """Local entropies around solutions that were found, over ``("sample", "field")``, and their averages.

    Args:
        alpha: patterns per weight.
        size: weights of each instance.
        samples: number of instances.
        fields: along each solution.
        progress: wraps the loop over instances.
        committee: None for perceptrons.
        damping: of belief propagation, its usual one by default.
    """
    from fmjax.message_passing.experiment import average, measure_entropies

    options: dict[str, Any] = {"committee": committee, "damping": damping, "progress": progress}
    measured = measure_entropies(size, alpha, seeds=range(samples), rows=fields, **options)
    means, grid = average(measured), ("sample", "field")
    units = {"distance": "1", "entropy": "nats per weight"}
    return {
        "gamma": ("field", measured.gamma.to_numpy(), {"units": "1", "long_name": "field along the solution"}),
        "solved": ("sample", measured.solved.to_numpy(), {"long_name": "focusing found a solution"}),
        **{f"measured_{name}": (grid, measured[name].to_numpy(), {"units": unit}) for name, unit in units.items()},
        **{f"mean_{name}": ("field", means[name], {"units": unit}) for name, unit in units.items()},
        **{f"std_{name}": ("field", means[f"{name}_std"], {"units": unit}) for name, unit in units.items()},
        "measured_result": (grid, measured.result.to_numpy()),
        "experiment_size": ((), size, {"units": "weights"}),
        "experiment_units": ((), 1 if committee is None else committee.units, {"long_name": "hidden units"}),
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
