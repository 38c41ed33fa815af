"""What is left of a store when processes are killed or a disk is full: all but the blocks in flight."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import fmjax
from fmjax.progress import ending
from tests.small_sweep import REQUEST, files

SLOW = Path(__file__).with_name("slow_sweep.py")
POINTS = 60
SLOW_REQUEST = {"quantity": "slow", "grid": {"x": f"0:{POINTS - 1}:{POINTS}"}}


class Accident:
    """Sweeps of a slow quantity in processes of their own, on one store, and what they began to compute."""

    def __init__(self, directory, uninterrupted=None):
        self.directory, self.out, self.log = directory, directory / "slow.zarr", directory / "log"
        self.uninterrupted = uninterrupted
        self.environment = os.environ | {
            "LOG": str(self.log),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": str(SLOW),
            "DASK_TEMPORARY_DIRECTORY": str(directory),
        }
        self.processes = []

    def start(self, *command, **environment):
        options = {"stderr": subprocess.PIPE, "text": True, "cwd": self.directory}
        self.processes.append(subprocess.Popen(command, env=self.environment | environment, **options))
        return self.processes[-1]

    def sweep(self, *options, **environment):
        command = [sys.executable, str(SLOW), json.dumps(SLOW_REQUEST), str(self.out), *options]
        return self.start(*command, **environment)

    def begun(self):
        """Points and processes that computed them, in the order of time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [tuple(map(int, line.split())) for line in lines]

    def finished(self):
        return len(list(self.out.glob("block_checksum/c/*")))

    def wait_for(self, blocks, process):
        deadline = time.monotonic() + 120
        while self.finished() < blocks:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "nothing happens"
            time.sleep(0.005)

    def resume(self, *options):
        done = self.sweep("resume", *options)
        _, text = done.communicate(timeout=180)
        assert done.returncode == 0, text

    def assert_whole(self, twice):
        """Everything is there, as without the accident, and at most ``twice`` blocks were computed twice."""
        assert len(self.begun()) <= POINTS + twice, self.begun()
        assert files(self.out) == files(self.uninterrupted)
        np.testing.assert_array_equal(
            xr.open_zarr(self.out, chunks=None, consolidated=False).square, np.arange(POINTS) ** 2.0
        )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run = Accident(tmp_path_factory.mktemp("uninterrupted"))
    _, text = run.sweep().communicate(timeout=120)
    assert run.processes[0].returncode == 0, text
    return run.out


@pytest.fixture
def accident(tmp_path, uninterrupted):
    made = Accident(tmp_path, uninterrupted)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_killed_client_loses_no_more_than_the_blocks_in_flight(accident):
    moments = np.random.default_rng(0).integers(1, POINTS - 10, 2)
    for moment in sorted(moments):
        client = accident.sweep(*["resume"] * accident.out.exists())
        accident.wait_for(moment, client)
        client.kill()
        client.wait()
    kept = accident.finished()
    assert kept < POINTS
    accident.resume()
    accident.assert_whole(twice=len(moments) * len(os.sched_getaffinity(0)))
    assert not list(accident.out.rglob("*.partial"))


def test_a_killed_worker_and_then_its_client_lose_no_more_than_the_blocks_in_flight(accident):
    client = accident.sweep("workers=2")
    accident.wait_for(5, client)
    worker = next(process for _, process in accident.begun() if process != client.pid)
    os.kill(worker, signal.SIGKILL)
    accident.wait_for(25, client)  # the other goes on
    client.kill()
    client.wait()
    for process in {process for _, process in accident.begun()}:  # workers follow their client
        deadline = time.monotonic() + 60
        while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{process}").exists()
    accident.resume()
    accident.assert_whole(twice=3)


def test_a_killed_scheduler_is_said_to_be_lost_and_the_store_goes_on(accident):
    address = accident.directory / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    scheduler = accident.start(*dask, "--host", "127.0.0.1", "--scheduler-file", str(address))
    deadline = time.monotonic() + 120
    while not (address.exists() and address.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    where = json.loads(address.read_text())["address"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", where, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    accident.start(*worker)
    client = accident.sweep(f"scheduler={where}")
    accident.wait_for(5, client)
    scheduler.kill()
    _, text = client.communicate(timeout=120)
    assert client.returncode == 1
    assert "scheduler was lost" in text
    assert "--resume" in text
    assert accident.finished() < POINTS
    accident.processes[1].kill()
    accident.processes[1].wait()
    accident.resume()
    accident.assert_whole(twice=2)


def test_a_second_run_on_a_store_is_refused_while_the_first_one_lives(accident):
    first = accident.sweep(PAUSE="1")
    accident.wait_for(1, first)
    second = accident.sweep("resume")
    _, text = second.communicate(timeout=120)
    assert first.poll() is None
    assert second.returncode == 1
    assert "another run writes" in text
    first.kill()
    first.wait()
    accident.resume()
    accident.assert_whole(twice=len(os.sched_getaffinity(0)))


def test_a_full_disk_is_said_and_what_was_finished_is_kept(accident):
    disk = accident.directory / "disk"
    disk.mkdir()
    accident.out = disk / "slow.zarr"
    run = f"{sys.executable} {SLOW} '{json.dumps(SLOW_REQUEST)}' {accident.out}"
    steps = [
        f"mount -t tmpfs -o size=600k tmpfs {disk} || exit 77",
        f"{run}; test $? = 1 || exit 1",
        f"ls {accident.out}/block_checksum/c | wc -l > kept",
        f"mount -o remount,size=20m {disk} && {run} resume && cp -r {accident.out} saved",
    ]
    done = accident.start("unshare", "-rm", "sh", "-c", "\n".join(steps)) if shutil.which("unshare") else None
    _, text = done.communicate(timeout=240) if done else (None, "")
    if done is None or done.returncode == 77 or "unshare" in text:
        pytest.skip("no disk can be mounted here")
    assert done.returncode == 0, text
    assert "No space left on device" in text
    assert "--resume" in text
    assert 0 < int((accident.directory / "kept").read_text()) < POINTS
    accident.out = accident.directory / "saved"
    accident.assert_whole(twice=len(os.sched_getaffinity(0)))


def test_a_coordinate_that_was_lost_is_written_again(tmp_path):
    """It follows from the request."""
    out = tmp_path / "whole.zarr"
    expected = fmjax.sweep(REQUEST, out).load()
    shutil.rmtree(out / "alpha")
    xr.testing.assert_identical(fmjax.sweep(REQUEST, out, resume=True).load(), expected)


@pytest.mark.parametrize(("kind", "said"), [(KeyboardInterrupt, 1), (OSError, 0)])
def test_who_interrupts_is_told_what_is_waited_for_and_nothing_more_begins(kind, said, capsys):
    begun, enough = [], threading.Event()

    def work(item):
        begun.append(item)
        enough.wait(60)

    def interrupted():
        with ThreadPoolExecutor(1) as pool, ending(pool):
            pool.map(work, range(5))
            threading.Timer(0.2, enough.set).start()
            raise kind

    with pytest.raises(kind):
        interrupted()
    assert capsys.readouterr().err.count("waiting for the blocks at hand to end") == said
    assert begun == [0]
