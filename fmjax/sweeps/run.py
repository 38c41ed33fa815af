"""Run a sweep: in this process, on processes of this machine, or on those of a cluster; go on where one was interrupted."""

import asyncio
import concurrent.futures
import errno
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from fmjax.checks import as_path, require_place, whole
from fmjax.progress import Loop, ending, tell
from fmjax.sweeps.blocks import complete
from fmjax.sweeps.plan import Plan, read
from fmjax.sweeps.query import open_store
from fmjax.sweeps.store import Busy, Store, is_store, need, refuse_another

Done = tuple[int, np.ndarray]  # number of a block, and how many of its points ended with each result code
Pool = Callable[[Plan, Path, Iterator[int]], Iterator[Done]]  # completes blocks, in whatever order
_AHEAD = 2  # blocks handed out per worker: the next one is there when one is done
_CONNECT = 15  # seconds


def sweep(
    request: Path | str | Mapping[str, Any],
    out: Path | str,
    *,
    resume: bool = False,
    workers: int | None = None,
    scheduler: Any = None,
    progress: bool = False,
) -> xr.Dataset:
    """Compute a quantity over a grid of controls, block by block, into a store that survives interruption.

    Args:
        request: a TOML file, or a dictionary of the same form: ``quantity``, ``grid`` (control -> number, list, or
            ``"START:STOP:COUNT"``, ``"START:STOP:COUNT:log"``) and perhaps ``block``, points per block. A control may run
            along the axis of another one, ``{"along": "alpha", "values": [...]}``, with a number, or NaN, for each of its
            values; or several along ``"point"``, whose points are then listed one by one.
        out: the store, a directory; ``.zarr`` by custom. With ``scheduler`` it must be seen by all machines.
        resume: go on with a store that is there. Finished blocks are read and checked, and not computed again.
        workers: processes of this machine, by dask; by default this process does it, on all its devices and cores.
            A script that asks for workers must start under ``if __name__ == "__main__":``.
        scheduler: address of a dask scheduler, whose workers do it, or a client of one.
        progress: show on standard error how far it is: a bar, or, where that is no terminal, a line every half minute.

    Returns:
        The dataset, as `open_store` gives it. Points that did not converge are there, with their ``result``.

    Raises:
        ValueError: the request makes no sense, or ``out`` is there already, is in use, or holds another sweep.
        TypeError: ``out`` is no path, or the request neither a path nor a dictionary.
        OSError: a block could not be written, or the scheduler was lost; finished blocks are kept.
    """
    plan, path = read(request), as_path("out", out).absolute()
    there = _check(plan, path, resume, workers, scheduler)
    with connected(workers, scheduler) as client:
        try:
            store = Store(path, plan) if there else Store.create(path, plan)
        except FileExistsError:
            raise Busy(f"{path} was made by another run at this moment: choose another name") from None
        with store.locked():
            try:
                _work(store, _on(client) if client else _in_threads, progress)
            except OSError as error:
                way_on = "the same command goes on" if resume else "go on with --resume"
                reason = f"{error.strerror or error}; finished blocks are kept, {way_on}"
                raise OSError(error.errno, reason, error.filename) from error
    return open_store(path)


def estimate(
    request: Path | str | Mapping[str, Any],
    out: Path | str,
    *,
    resume: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """What a sweep would take, computing nothing.

    Args:
        request: as for `sweep`, and so are all the others.
        out: the store; it need not be there.
        resume: count what is left of a store that is there.
        workers: processes of this machine.
        scheduler: address of a dask scheduler; it is asked for its workers.

    Returns:
        ``points`` and ``blocks``, altogether and of them ``blocks_finished``; ``points_per_block``; ``bytes`` of the results
        before compression, of all and ``bytes_per_block``, which is what grows with a block in the memory of a worker (code
        and compiled programs take about a GiB per process beside it); ``workers`` at a time; ``seconds`` that the rest
        takes, without compilation: from the blocks that are there or, for none, from one core of an AMD EPYC.

    Raises:
        ValueError: as for `sweep`.
        TypeError: as for `sweep`.
        OSError: the file cannot be read, or no scheduler answers.

    Example:
        >>> from fmjax.sweeps import estimate
        >>> request = {"quantity": "entropy", "grid": {"alpha": "0.1:0.8:1000", "margin": "0:0.2:100"}}
        >>> found = estimate(request, "diagram.zarr")
        >>> found["points"], found["blocks"], found["points_per_block"]
        (100000, 200, 500)
    """
    plan, path = read(request), as_path("out", out).absolute()
    finished, seconds = np.zeros(plan.count, bool), np.zeros(0)
    if _check(plan, path, resume, workers, scheduler):
        store = Store(path, plan)
        finished = store.finished()
        seconds = store.seconds()[finished]
    per_block = int(np.prod(plan.chunk, dtype=int))
    width = 1 + sum(np.dtype(output.dtype).itemsize for output in plan.quantity.outputs.values())
    at_once = workers or _cores()
    if scheduler is not None:
        with connected(None, scheduler) as client:
            at_once = simultaneous(client)
    each = float(np.median(seconds)) if seconds.size else per_block * plan.quantity.seconds
    left = plan.count - int(finished.sum())
    return {
        "quantity": plan.name,
        "points": plan.points,
        "blocks": plan.count,
        "blocks_finished": int(finished.sum()),
        "points_per_block": per_block,
        "bytes": width * plan.points,
        "bytes_per_block": width * per_block,
        "workers": at_once,
        "seconds": each * left / at_once if at_once else None,
    }


def _check(plan: Plan, path: Path, resume: bool, workers: int | None, scheduler: Any) -> bool:
    """Refuse what cannot work; whether there is a store to go on with."""
    need("zarr")
    _check_workers(workers, scheduler)
    there = path.exists()
    if there and not resume and not is_store(path):
        raise ValueError(f"{path} is there already, and no store of fmjax sweep: choose another name")
    if there:
        refuse_another(path, plan)
    if there and not resume:
        raise ValueError(f"{path} is there already: go on with it by --resume, or choose another name")
    require_place("the store", path)
    return there


def _check_workers(workers: int | None, scheduler: Any) -> None:
    if workers is not None and scheduler is not None:
        raise ValueError("give either workers, of this machine, or a scheduler, not both")
    if workers is not None:
        whole("workers", workers, 1)
    if workers or scheduler:
        need("distributed")


def _work(store: Store, pool: Pool, progress: bool) -> None:
    store.repair()
    finished = _checked(store, progress)
    plan, known = store.plan, 0
    for index in np.flatnonzero(finished):
        known += int(np.prod([part.stop - part.start for part in plan.region(int(index))], dtype=int))
    todo = map(int, np.flatnonzero(~finished))
    with Loop(plan.name, plan.points, known, "points", shows=progress) as loop:
        unconverged = 0
        for _, codes in pool(plan, store.path, todo):
            unconverged += int(codes[1:].sum())
            loop.at(f"{unconverged} unconverged" if unconverged else "")
            loop.update(int(codes.sum()))


def _checked(store: Store, progress: bool) -> np.ndarray:
    """Which blocks are finished and read back as they were written; others are removed, and said to be."""
    finished = store.finished()
    there = [int(index) for index in np.flatnonzero(finished)]
    with ThreadPoolExecutor(_cores()) as threads, Loop("checking", len(there), unit="blocks", shows=progress) as loop:
        for index, good in zip(there, threads.map(store.is_intact, there), strict=True):
            if not good:
                finished[index] = False
                store.forget(index)
                tell(f"block {index} does not read back as it was written: it is computed again")
            loop.update()
    return finished


# ---------------------------------------------------------------------------------------------------------------------
# Who does it


def _in_threads(plan: Plan, path: Path, todo: Iterator[int]) -> Iterator[Done]:
    """In this process. On a CPU one block per core: XLA leaves most of them idle with a single one."""
    on_cpu = jax.default_backend() == "cpu"
    threads = max(1, _cores() // jax.local_device_count()) if on_cpu else _AHEAD
    with ThreadPoolExecutor(threads) as pool, ending(pool):

        def submit(count: int) -> set[concurrent.futures.Future[Done]]:
            return {pool.submit(complete, plan.identity, str(path), index) for index in islice(todo, count)}

        running = submit(threads)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            results = [future.result() for future in done]  # after a failure nothing more is handed out
            running |= submit(len(done))
            yield from results


def _on(client: Any) -> Pool:
    """On the workers of a dask scheduler, which gives blocks of a lost worker to others."""
    from distributed import KilledWorker, as_completed
    from distributed.comm.core import CommClosedError

    def pool(plan: Plan, path: Path, todo: Iterator[int]) -> Iterator[Done]:
        def submit(count: int) -> list[Any]:
            task = (complete, plan.identity, str(path))
            return [client.submit(*task, index, pure=False) for index in islice(todo, max(0, count))]

        try:
            running = as_completed(submit(_AHEAD))
            for future in running:
                result = future.result()
                # Workers may have come and gone.
                running.update(submit(_AHEAD * sum(client.nthreads().values()) - running.count()))
                yield result
        except KilledWorker as error:
            given_up = f"a block was given up, {error.allowed_failures + 1} workers died while computing it"
            raise OSError(errno.ECONNABORTED, given_up) from error
        except (CommClosedError, concurrent.futures.CancelledError, asyncio.CancelledError, TimeoutError) as error:
            raise OSError(errno.ECONNABORTED, "the scheduler was lost") from error

    return pool


@contextmanager
def connected(workers: int | None, scheduler: Any) -> Iterator[Any]:
    """A dask client for one sweep or several, whose workers compute; None where this process does it.

    Args:
        workers: processes of this machine, each on cores of its own, which end with the ``with`` block.
        scheduler: address of a dask scheduler, or a client of one, which is given back as it is.

    Yields:
        The client: what `sweep` takes as its ``scheduler``.

    Raises:
        ValueError: both are asked for, or fewer than one worker, or a library is missing.
        OSError: no scheduler answers.
    """
    _check_workers(workers, scheduler)
    if workers is None and not isinstance(scheduler, str):
        yield scheduler
        return
    import dask.config
    from distributed import Client, LocalCluster

    from fmjax.sweeps.cores import OwnCores

    # What happens to workers and scheduler is told by this module, once.
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    options = {"threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0, "silence_logs": logging.CRITICAL + 1}
    # Dask has workers give memory back at once, and XLA asks for the same again and again: blocks took a quarter longer.
    keep_memory = dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None})
    try:
        with keep_memory, LocalCluster(n_workers=workers, **options) if workers else nullcontext(scheduler) as cluster:
            client = Client(cluster, timeout=_CONNECT)
            try:
                if workers:
                    client.register_plugin(OwnCores(workers))
                yield client
            finally:
                client.close(timeout=2)
    finally:
        logger.setLevel(level)


def simultaneous(client: Any) -> int:
    """How many blocks are computed at a time: by the workers of a client of dask, or without one by this process."""
    return _cores() if client is None else sum(client.nthreads().values())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
