"""Where blocks are computed: workers that share cores, jobs of Slurm, several devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fmjax


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_local_workers_share_the_cores_among_them_also_when_one_was_replaced():
    program = """if __name__ == "__main__":
    import json, os, time
    from fmjax.sweeps.run import connected
    def pid(dask_worker):
        return os.getpid()
    def cores(dask_worker):
        return sorted(os.sched_getaffinity(0)), "MALLOC_TRIM_THRESHOLD_" in os.environ
    with connected(2, None) as client:
        first = client.run(pid)
        os.kill(next(iter(first.values())), 9)
        while not (len(again := client.run(pid, on_error="ignore")) == 2 and set(again.values()) - set(first.values())):
            time.sleep(0.2)
        print(json.dumps(list(client.run(cores).values())))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    (first, trimmed), (second, _) = json.loads(done.stdout.splitlines()[-1])
    available = os.sched_getaffinity(0)
    assert not trimmed
    assert set(first) | set(second) == available
    assert len(available) == 1 or not set(first) & set(second)


_SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" {directory}/job
setsid sh {directory}/job > {directory}/job.log 2>&1 < /dev/null &
echo Submitted batch job $!
"""


def test_the_file_for_slurm_has_its_jobs_compute_a_sweep_and_ends_them(tmp_path):
    for name, text in {"sbatch": _SBATCH.format(directory=tmp_path), "scancel": "#!/bin/sh\nkill -- -$1\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    script, request_, out = tmp_path / "sweep_slurm.py", tmp_path / "request.toml", tmp_path / "out.zarr"
    original = (Path(__file__).parents[1] / "benchmarks" / "sweep_slurm.py").read_text()
    assert "maximum_jobs=100" in original
    script.write_text(original.replace("maximum_jobs=100", "maximum_jobs=1"))
    request_.write_text('quantity = "entropy"\nblock = 4\n[grid]\nalpha = "0.1:0.8:11"\n')
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, str(script), str(request_), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'converged': 11}"
    job = (tmp_path / "job").read_text()
    assert "#SBATCH" in job
    assert "dask_worker" in job
    assert "End worker" in (tmp_path / "job.log").read_text()  # it was cancelled
    assert (fmjax.open(out).result == "converged").all()


_DEVICES = """
import jax, json, sys, fmjax
assert jax.local_device_count() == 4
fmjax.sweep(json.loads(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.parametrize(
    "request_",
    [
        {"quantity": "entropy", "grid": {"alpha": "0.1:0.8:10"}},
        {"quantity": "kappa-max", "grid": {"alpha": "0.1:0.8:10"}},
        pytest.param(
            {
                "quantity": "franz-parisi",
                "grid": {"alpha": "0.2:0.6:5", "reference_margin": 0.2, "distance": [0.002, 0.03, 0.3]},
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda request: request["quantity"],
)
def test_four_devices_give_the_answers_of_one(request_, tmp_path):
    one = fmjax.sweep(request_, tmp_path / "one")
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", _DEVICES, json.dumps(request_), str(tmp_path / "four")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    four = fmjax.open(tmp_path / "four")
    assert (four.result == "converged").all()
    assert (four.result == one.result).all()
    # Newton stops where entropies are exact: they are stationary, order parameters are not. Entropies are sums of a few
    # thousand terms of order one, which round to about 1e-15 each, however small the sum.
    for name, digits in {"entropy": 1e-14, "slope": 1e-13, "value": 1e-14, "overlap": 1e-12}.items():
        if name in one:
            np.testing.assert_allclose(four[name], one[name], rtol=digits, atol=1e-14, err_msg=name)
