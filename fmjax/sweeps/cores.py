"""Which cores of this machine a dask worker computes on."""

import os

from distributed import Worker, WorkerPlugin


class OwnCores(WorkerPlugin):
    """Keeps each of ``workers`` processes on its share of the cores, before XLA counts those that it may use.

    Otherwise the pools of all of them spread over the whole machine, and hand small pieces to each other: two workers on
    two cores took 1.8 times as long.
    """

    name = "own-cores"

    def __init__(self, workers: int):
        self.workers = workers

    def setup(self, worker: Worker) -> None:
        """Called in every worker process when it starts, also when it replaces one that died."""
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            share = cores[int(worker.name) :: self.workers] or [cores[int(worker.name) % len(cores)]]
            os.sched_setaffinity(0, share)
