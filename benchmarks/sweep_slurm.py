"""Run a sweep on workers that SLURM starts: python sweep_slurm.py FILE.toml STORE.zarr (pip install 'fmjax[sweeps,slurm]').

Change the resources below to those of your cluster.
"""

import sys
from pathlib import Path

import fmjax


def main():
    from dask_jobqueue import SLURMCluster

    request, out = sys.argv[1:]
    resources = {
        "cores": 1,  # of a worker's job, which SLURM keeps it to; for GPUs also job_extra_directives=["--gpus=1"]
        "processes": 1,
        "memory": "4GB",  # compiling takes two
        "walltime": "04:00:00",
        # and perhaps queue, account, and interface, the network device through which nodes see each other
    }
    with SLURMCluster(**resources) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=100)  # a job that ends is replaced; its blocks go to others
        found = fmjax.sweep(request, out, resume=Path(out).exists(), scheduler=cluster.scheduler_address, progress=True)
        print(fmjax.sweeps.outcomes(found))


if __name__ == "__main__":
    main()
