"""The experiment of the paper, sample by sample: find a solution, then measure the entropy around it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fmjax.checks import whole
from fmjax.message_passing.checks import check_request, seeds_of
from fmjax.message_passing.focusing import Focused, focusing
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.local_entropy import default_fields, local_entropy
from fmjax.message_passing.schedules import Schedule
from fmjax.progress import Progress, silent
from fmjax.sentences import CONVERGED

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["average", "find_solutions", "measure_entropies"]

_NOT_MEASURED = "there is no solution to measure around: "


def instance_of(seed: int, size: int, alpha: float, margin: float = 0.0) -> Instance:
    """The random ±1 instance that `seed` stands for in every experiment."""
    return Instance.random(jax.random.key(seed), size, alpha, margin)


def find_solutions(
    size: int,
    alpha: float,
    margin: float = 0.0,
    *,
    seeds: Sequence[int],
    schedule: Schedule | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Focusing belief propagation on one instance per seed, one after the other: memory for one of them.

    Args:
        size: number of weights.
        alpha: patterns per weight.
        margin: of every pattern.
        seeds: one integer per sample.
        schedule: of `focusing`.
        progress: wraps the loop over seeds.

    Returns:
        ``solved``, ``errors``, ``sweeps``, ``min_stability``, ``seconds`` (of `focusing`; the first with compilation),
        ``outcome`` per ``sample``, and ``weights`` per ``(sample, weight)``.

    Raises:
        ValueError: a size, load, margin or seed that makes no sense.
    """
    (size, alpha, margin), seeds = check_request(size, alpha, margin), seeds_of(seeds)
    rows = [_find(instance_of(seed, size, alpha, margin), schedule) for seed in progress(seeds, "samples")]
    return _dataset(rows, seeds, {"size": size, "alpha": alpha, "margin": margin})


def measure_entropies(
    size: int, alpha: float, *, seeds: Sequence[int], rows: int = 24, progress: Progress = silent
) -> xr.Dataset:
    """`find_solutions`, focusing up to the end of the schedule, and the local entropy around each of them.

    Args:
        size: number of weights.
        alpha: patterns per weight.
        seeds: one integer per sample.
        rows: number of fields, from 0 up to where about ten weights differ from the solution (or 0.3 %).
        progress: wraps the loop over seeds.

    Returns:
        What `find_solutions` returns, and ``gamma`` per ``row``; ``distance``, ``entropy``, ``residual`` and ``result`` per
        ``(sample, row)``. Samples without a solution have NaN, and a ``result`` that says so.

    Raises:
        ValueError: a size, load, seed or number of rows that makes no sense.
    """
    (size, alpha, _), seeds = check_request(size, alpha), seeds_of(seeds)
    gammas = default_fields(whole("rows", rows, 2), nearest=min(0.25, max(0.003, 20 / size)))
    found, measured = [], []
    for seed in progress(seeds, "samples"):
        instance = instance_of(seed, size, alpha)
        found.append(_find(instance, None, to_the_end=True))
        measured.append(_measure(instance, found[-1], gammas))
    dataset = _dataset(found, seeds, {"size": size, "alpha": alpha, "margin": 0.0})
    grid = ("sample", "row")
    units = {"distance": "1", "entropy": "nats per weight", "residual": "1"}
    columns = {name: (grid, np.stack([one[name] for one in measured]), {"units": unit}) for name, unit in units.items()}
    results = np.array([one["result"] for one in measured], dtype=object)
    return dataset.assign(columns | {"result": (grid, results)}).assign_coords(
        gamma=("row", gammas, {"units": "1", "long_name": "field along the solution"})
    )


def average(dataset: xr.Dataset) -> dict[str, np.ndarray]:
    """Mean and standard deviation over samples, at each field, of distance and entropy, over the converged rows.

    Returns:
        ``distance``, ``distance_std``, ``entropy``, ``entropy_std`` (NaN where no row converged), ``samples`` (how many
        did) and ``result``, each of shape ``(rows,)``.
    """
    good = dataset.result.to_numpy() == CONVERGED
    count = good.sum(axis=0)
    columns: dict[str, np.ndarray] = {"samples": count}
    for name in ("distance", "entropy"):
        values = np.where(good, dataset[name].to_numpy(), 0.0)
        with np.errstate(invalid="ignore"):
            mean = values.sum(axis=0) / count
            variance = np.where(good, (values - mean) ** 2, 0.0).sum(axis=0) / np.where(count > 1, count - 1, 0)
        columns |= {name: mean, f"{name}_std": np.sqrt(variance)}
    total = len(good)
    sentences = [f"{total - n} of {total} samples did not converge" if n < total else CONVERGED for n in count]
    return columns | {"result": np.array(sentences, dtype=object)}


def _find(instance: Instance, schedule: Schedule | None, to_the_end: bool = False) -> dict[str, Any]:
    jax.block_until_ready(instance.patterns)
    start = time.perf_counter()
    found: Focused = jax.block_until_ready(focusing(instance, schedule, to_the_end=to_the_end))
    seconds = time.perf_counter() - start
    sums = np.asarray(instance.sums(found.weights), dtype=float)
    return {
        "solved": bool(found.solved),
        "errors": int(found.errors),
        "sweeps": int(found.sweeps),
        "min_stability": float(np.min(sums, initial=np.inf)) / math.sqrt(instance.size),
        "seconds": round(seconds, 3),
        "outcome": str(found.result),
        "weights": np.asarray(found.weights),
    }


def _measure(instance: Instance, found: dict[str, Any], gammas: np.ndarray) -> dict[str, np.ndarray]:
    if not found["solved"]:
        nothing = {name: np.full(len(gammas), np.nan) for name in ("distance", "entropy", "residual")}
        return nothing | {"result": np.full(len(gammas), _NOT_MEASURED + found["outcome"], dtype=object)}
    local = local_entropy(instance, found["weights"], gammas)
    columns = {name: np.asarray(getattr(local, name), dtype=float) for name in ("distance", "entropy", "residual")}
    return columns | {"result": np.asarray(local.result)}


def _dataset(rows: list[dict[str, Any]], seeds: Sequence[int], controls: dict[str, Any]) -> xr.Dataset:
    import xarray as xr  # noqa: PLC0415  (message passing itself must not need it)

    units = {"min_stability": "1", "seconds": "s", "sweeps": "1", "errors": "patterns"}
    variables = {
        name: (
            ("sample", "weight") if name == "weights" else "sample",
            np.stack([row[name] for row in rows]),
            {"units": units[name]} if name in units else {},
        )
        for name in rows[0]
    }
    variables["outcome"] = ("sample", np.array([row["outcome"] for row in rows], dtype=object), {})
    coordinates = {"seed": ("sample", list(seeds))} | {name: ((), value) for name, value in controls.items()}
    return xr.Dataset(variables, coords=coordinates)
