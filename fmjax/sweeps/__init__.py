"""Grids of controls: any quantity, block by block, into labelled stores that survive interruption.

>>> import tempfile, fmjax
>>> request = {"quantity": "entropy", "grid": {"alpha": [0.2, 0.5], "margin": "0:0.2:3"}}
>>> with tempfile.TemporaryDirectory() as directory:
...     found = fmjax.sweep(request, f"{directory}/entropy.zarr")
...     print(f"{float(found.entropy.sel(alpha=0.5, margin=0.0)):.8f}", found.result.to_numpy().ravel()[0])
0.31439007 converged

`fmjax.quantities.QUANTITIES` holds what can be computed, by name: each with its controls, its outputs and their units.
Controls that choose a model are part of the grid: ``weights``, ``constraint``, ``task``, ``architecture``, its
``activation`` and ``slope``. Curves and lines of the figures are sweeps as well.

A block counts once its checksum is written, after its results; nothing else is shared between writers. What was killed, or
found no space, loses the blocks in flight and no other; a chunk that was damaged on disk is found by ``resume``; a store of
another request is refused with the difference, and so is a second run while the first lives (on file systems with `flock`).
``benchmarks/sweep.slurm`` runs a sweep on a SLURM cluster; it is tested with a stand-in for `sbatch` only.

What grows with the number of blocks are files, ten for each, which ``resume`` lists and reads: ask for a larger ``block``
where there are millions.
"""

from fmjax.sweeps.plan import Plan, read
from fmjax.sweeps.query import (
    interpolate,
    open_store,
    open_store as open,  # noqa: A004  (fmjax.open, after xarray's open_dataset and open_zarr)
    outcomes,
)
from fmjax.sweeps.run import connected, estimate, sweep

__all__ = ["Plan", "connected", "estimate", "interpolate", "open", "open_store", "outcomes", "read", "sweep"]
