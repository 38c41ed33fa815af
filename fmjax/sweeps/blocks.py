"""One block: a compiled program over its points, shared out among the devices of this machine."""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from fmjax.compilation import soon
from fmjax.precision import usual_arithmetic
from fmjax.sweeps.layout import UNKNOWN
from fmjax.sweeps.plan import KEYS, Plan, plan_of
from fmjax.sweeps.store import Store
from fmjax.sweeps.values import differences

_SHORT = 60  # seconds of computing: a sweep that takes less waits for the compiler more than for its points
_PROGRAMS = 8  # kept compiled; a sweep over sizes meets many, one after the other
_compiled: OrderedDict[Any, Future[Callable[..., dict[str, Any]]]] = OrderedDict()
_lock = threading.Lock()


def compute(plan: Plan, index: int) -> dict[str, np.ndarray]:
    """Outputs and ``result`` codes of a block, in the shape of its box of the grid.

    The points are spread over all local devices. On a CPU they are solved one after the other on each: what fits the cache
    is fastest, and other cores take other blocks. Elsewhere they are solved together.
    """
    static, columns, shape = plan.columns(index)
    quantity = plan.quantity
    if quantity.on_host:
        curve = plan.shape[len(plan.outer) :]
        numbers = quantity.evaluate({**static, **plan.along()})
        found = {name: np.full(shape, np.reshape(one, curve) if np.ndim(one) else one) for name, one in numbers.items()}
    else:
        with usual_arithmetic():
            found = _evaluate(plan, static, columns)
        found["result"] = found["result"].copy()
        for values in columns.values():
            found["result"][np.isnan(values)] = UNKNOWN
        found = {name: values.reshape(shape) for name, values in found.items()}
    return {name: _canonical(found[name], output.dtype) for name, output in quantity.outputs.items()} | {
        "result": found["result"].astype(np.uint8)
    }


def forget_programs() -> None:
    """Give back the memory of compiled programs, which `jax.clear_caches` does not know of."""
    with _lock:
        _compiled.clear()


def _evaluate(plan: Plan, static: dict[str, Any], columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    devices = jax.local_device_count()
    size = len(next(iter(columns.values()), [0]))
    whole = int(np.prod(plan.block, dtype=int))
    padded = -(-whole // devices) * devices
    # Blocks at the edges are filled up with their last point: one program for all.
    rows = {name: np.pad(values, (0, padded - size), mode="edge") for name, values in columns.items()}
    rows["point"] = np.arange(padded)  # there may be no other column: all controls may be part of the program
    prepare = plan.quantity.prepare
    data, rest = eqx.partition(static if prepare is None else prepare(static), eqx.is_array)
    shared = data, plan.along()
    program = _program(plan, rest, rows, shared)
    return {name: np.asarray(values)[:size] for name, values in program(rows, shared).items()}


def _program(plan: Plan, static: Any, rows: dict[str, Any], shared: Any) -> Callable:
    """The compiled program of a block: compiled once, by whoever asks first; others need not wait for it."""
    shapes = [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves((rows, shared))]
    structure, short = jax.tree.structure((static, rows, shared)), plan.points * plan.quantity.seconds < _SHORT
    key = (plan.name, short, *jax.tree.leaves(static), *shapes, structure)
    with _lock:
        first = key not in _compiled
        program = _compiled.setdefault(key, Future())
        _compiled.move_to_end(key)
        while len(_compiled) > _PROGRAMS:
            _compiled.popitem(last=False)
    if first:
        try:
            program.set_result(_compile(plan, static, rows, shared, short))
        except BaseException as error:
            program.set_exception(error)
            with _lock:
                _compiled.pop(key, None)
            raise
    return program.result()


def _compile(plan: Plan, static: Any, rows: dict[str, Any], shared: Any, short: bool) -> Callable:
    devices = jax.local_devices()
    mesh = jax.make_mesh((len(devices),), ("points",), devices=devices, axis_types=(AxisType.Auto,))
    per_device = len(next(iter(rows.values()))) // len(devices)
    together = None if devices[0].platform == "cpu" and not plan.quantity.vectorised else per_device

    def shard(rows: dict[str, Any], shared: Any) -> dict[str, Any]:
        data, along = shared
        fixed = eqx.combine(data, static) | along

        def point(row: dict[str, Any]) -> dict[str, Any]:
            return plan.quantity.evaluate({**fixed, **row})

        return jax.lax.map(point, rows, batch_size=together)

    points = PartitionSpec("points")
    # Newton's loops start from constants, the same on every device: they vary from the first step on.
    spread = jax.shard_map(shard, mesh=mesh, in_specs=(points, PartitionSpec()), out_specs=points, check_vma=False)
    return jax.jit(spread, compiler_options=soon(devices[0].platform) if short else None).lower(rows, shared).compile()


def _canonical(values: np.ndarray, dtype: str) -> np.ndarray:
    """In the type of the store; every NaN the same, as a chunk of nothing but NaN is not stored at all."""
    values = values.astype(dtype)
    return np.where(np.isnan(values), np.nan, values) if values.dtype.kind == "f" else values


@lru_cache(maxsize=2)
def _opened(identity: str, path: str) -> Store:
    asked = json.loads(identity)
    plan = plan_of({key: asked[key] for key in KEYS})
    if plan.identity != asked:
        unlike = "; ".join(differences(plan.identity, asked))
        raise ValueError(f"a worker would compute another sweep than the one that was begun: {unlike}")
    return Store(Path(path), plan)


def complete(identity: dict[str, Any], path: str, index: int) -> tuple[int, np.ndarray]:
    """Compute a block and write it, unless it is there: what runs in a thread or on another machine.

    Returns:
        its number, and how many of its points ended with each result code, shape ``(256,)``.
    """
    store = _opened(json.dumps(identity), path)
    # It may be there: its writer was lost before it could report.
    if store.is_finished(index) and store.is_intact(index):
        results = store.read(index)
    else:
        start = time.perf_counter()
        results = compute(store.plan, index)
        store.write(index, results, time.perf_counter() - start)
    return index, np.bincount(results["result"].ravel(), minlength=256)
