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
        "cores": 8,  # of a worker's job
        "processes": 8,  # one core each; for GPUs one process per job, and job_extra_directives=["--gpus=1"]
        "memory": "16GB",
        "walltime": "04:00:00",
        # and perhaps queue, account, and interface, the network device through which nodes see each other
    }
    with SLURMCluster(**resources) as cluster:
        cluster.adapt(minimum_jobs=1, maximum_jobs=20)  # a job that ends is replaced; its blocks go to others
        found = fmjax.sweep(request, out, resume=Path(out).exists(), scheduler=cluster.scheduler_address, progress=True)
        print(fmjax.sweeps.outcomes(found))


if __name__ == "__main__":
    main()
