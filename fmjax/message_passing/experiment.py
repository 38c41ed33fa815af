"""The experiment of the paper, sample by sample: find a solution, then measure the entropy around it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from fmjax.checks import whole
from fmjax.message_passing.checks import check_request, seeds_of
from fmjax.message_passing.committee import Committee
from fmjax.message_passing.focusing import Focused, focusing
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.local_entropy import default_fields, local_entropy
from fmjax.message_passing.schedules import PseudoReinforcement, Schedule
from fmjax.progress import Progress, silent
from fmjax.sentences import AROUND_FOUND, CONVERGED, FOCUSING, LOCAL_ENTROPY

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["average", "fields_around", "find_in", "find_solutions", "measure", "measure_around", "measure_entropies"]


def instance_of(seed: int, size: int, alpha: float, margin: float = 0.0, committee: Committee | None = None) -> Instance:
    """The random ±1 instance that `seed` stands for in every experiment."""
    return Instance.random(jax.random.key(seed), size, alpha, margin, committee=committee)


def find_solutions(
    size: int,
    alpha: float,
    margin: float = 0.0,
    *,
    seeds: Sequence[int],
    schedule: Schedule | None = None,
    committee: Committee | None = None,
    damping: float | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Focusing belief propagation on one instance per seed, one after the other: memory for one of them.

    Args:
        size: number of weights.
        alpha: patterns per weight.
        margin: of every pattern.
        seeds: one integer per sample.
        schedule: of `focusing`.
        committee: None for perceptrons.
        damping: of `focusing`.
        progress: wraps the loop over seeds.

    Returns:
        ``solved``, ``errors``, ``sweeps``, ``min_stability``, ``seconds`` (of `focusing`; the first with compilation),
        ``outcome`` per ``sample``, and ``weights`` per ``(sample, weight)``.

    Raises:
        ValueError: a size, load, margin or seed that makes no sense.
    """
    (size, alpha, margin), seeds = check_request(size, alpha, margin), seeds_of(seeds)
    options = {"schedule": schedule, "damping": damping}
    rows = [_find(instance_of(seed, size, alpha, margin, committee), options) for seed in progress(seeds, "samples")]
    return _dataset(rows, seeds, {"size": size, "alpha": alpha, "margin": margin})


def find_in(
    instance: Instance,
    *,
    seeds: Sequence[int],
    schedule: Schedule | None = None,
    damping: float | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Focusing belief propagation on one's own instance, from a random field per seed.

    Args:
        instance: one, not a batch.
        seeds: of the random fields, one integer per sample.
        schedule: of `focusing`; of 1000 steps by default: patterns that are alike need much damping, which takes time.
        damping: of `focusing`, 0.97 by default.
        progress: wraps the loop over seeds.

    Returns:
        As `find_solutions`.

    Raises:
        ValueError: a seed or an option that makes no sense.
    """
    seeds, options = seeds_of(seeds), _for_alike(schedule, damping)
    rows = [_find(instance, options | {"seed": seed}) for seed in progress(seeds, "samples")]
    return _dataset(rows, seeds, _controls(instance))


def measure_entropies(
    size: int,
    alpha: float,
    margin: float = 0.0,
    *,
    seeds: Sequence[int],
    rows: int = 24,
    committee: Committee | None = None,
    damping: float | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """`find_solutions`, focusing up to the end of the schedule, and the local entropy around each of them.

    Args:
        size: number of weights.
        alpha: patterns per weight.
        margin: of every pattern, for the solutions that are found and for those that are counted.
        seeds: one integer per sample.
        rows: number of fields, from 0 up to where about ten weights differ from the solution (or 0.3 %).
        committee: None for perceptrons.
        damping: of `focusing` and `local_entropy`.
        progress: wraps the loop over seeds.

    Returns:
        The solutions, and ``distance``, ``entropy``, ``residual``, ``result`` per ``(sample, row)``; samples without a
        solution have NaN, and a ``result`` that says so.

    Raises:
        ValueError: a size, load, margin, seed or number of rows that makes no sense.
    """
    (size, alpha, margin), seeds = check_request(size, alpha, margin), seeds_of(seeds)
    instances = (
        (instance_of(seed, size, alpha, margin, committee), {"damping": damping}) for seed in progress(seeds, "samples")
    )
    return _measured(instances, seeds, {"size": size, "alpha": alpha, "margin": margin}, rows, damping)


def measure_around(
    instance: Instance,
    *,
    seeds: Sequence[int],
    rows: int = 24,
    damping: float | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """`find_in`, focusing up to the end of the schedule, and the local entropy around each solution.

    Args:
        instance: one, not a batch.
        seeds: of the random fields, one integer per sample.
        rows: as for `measure_entropies`.
        damping: of `focusing`, 0.97 by default, and `local_entropy`, 0.9 by default.
        progress: wraps the loop over seeds.

    Returns:
        As `measure_entropies`.

    Raises:
        ValueError: a seed, an option or a number of rows that makes no sense.
    """
    seeds, options = seeds_of(seeds), _for_alike(None, damping)
    instances = ((instance, options | {"seed": seed}) for seed in progress(seeds, "samples"))
    return _measured(instances, seeds, _controls(instance), rows, 0.9 if damping is None else damping)


def _for_alike(schedule: Schedule | None, damping: float | None) -> dict[str, Any]:
    """Options of `focusing` for patterns that are alike."""
    return {
        "schedule": PseudoReinforcement(1000) if schedule is None else schedule,
        "damping": 0.97 if damping is None else damping,
        "random_field": 0.3,
    }


def _controls(instance: Instance) -> dict[str, Any]:
    return {"size": instance.size, "alpha": instance.count / instance.size, "margin": instance.margin}


def _measured(
    instances: Iterable[tuple[Instance, dict[str, Any]]],
    seeds: list[int],
    controls: dict[str, Any],
    rows: int,
    damping: float | None,
) -> xr.Dataset:
    gammas = fields_around(controls["size"], rows)
    found, measured = zip(*(measure(instance, gammas, damping, options) for instance, options in instances), strict=True)
    dataset = _dataset(found, seeds, controls)
    grid = ("sample", "row")
    units = {"distance": "1", "entropy": "nats per weight", "residual": "1"}
    columns = {name: (grid, np.stack([one[name] for one in measured]), {"units": unit}) for name, unit in units.items()}
    results = np.array([[AROUND_FOUND[code] for code in one["status"]] for one in measured], dtype=object)
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


def _find(instance: Instance, options: dict[str, Any]) -> dict[str, Any]:
    jax.block_until_ready(instance.patterns)
    start = time.perf_counter()
    found: Focused = jax.block_until_ready(focusing(instance, **options))
    seconds = time.perf_counter() - start
    totals = np.asarray(instance.totals(found.weights), dtype=float)
    return {
        "solved": bool(found.solved),
        "errors": int(found.errors),
        "sweeps": int(found.sweeps),
        "min_stability": float(np.min(totals, initial=np.inf)) / instance.lattice.root,
        "seconds": round(seconds, 3),
        "outcome": str(found.result),
        "weights": np.asarray(found.weights),
    }


def fields_around(size: int, rows: int) -> np.ndarray:
    """Fields along a solution, from 0 up to where about ten of ``size`` weights differ from it, or 0.3 %."""
    return default_fields(whole("rows", rows, 2), nearest=min(0.25, max(0.003, 20 / size)))


def measure(
    instance: Instance, gammas: np.ndarray, damping: float | None, options: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A solution that focusing finds at the end of its schedule, and the local entropy around it at fields ``gammas``.

    The status of each is a place in `fmjax.sentences.AROUND_FOUND`; where nothing was found, numbers are NaN.
    """
    found = _find(instance, (options or {"damping": damping}) | {"to_the_end": True})
    names = ("distance", "entropy", "residual")
    if not found["solved"]:
        code = len(LOCAL_ENTROPY) - 1 + FOCUSING.index(found["outcome"])
        nothing = {name: np.full(len(gammas), np.nan) for name in names}
        return found, nothing | {"status": np.full(len(gammas), code)}
    local = local_entropy(instance, found["weights"], gammas, damping=damping)
    columns = {name: np.asarray(getattr(local, name), dtype=float) for name in names}
    return found, columns | {"status": np.asarray(local.status)}


def _dataset(rows: Sequence[dict[str, Any]], seeds: Sequence[int], controls: dict[str, Any]) -> xr.Dataset:
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
