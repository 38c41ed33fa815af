"""How commands end: what stops them is one sentence and a status, and what was computed is not lost."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner

import fmjax.cli
from fmjax.cli import app, running
from fmjax.cli.ending import ending_of, interruptible
from tests.command_line import FOCUSING


def shell(line, *arguments, **environment):
    """A command as a shell runs it; ``$0`` stands for it, with its arguments."""
    words = ["bash", "-c", line.replace("$0", '"$0" "$@"'), sys.executable, "-m", "fmjax.cli", *arguments]
    return subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, timeout=120)


def one_sentence(text):
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("Error: ")
    return lines[0]


# Standard output and standard error -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("redirection", "reason"), [("> /dev/full", "No space left on device"), (">&-", "it is closed")])
def test_an_answer_that_cannot_be_written_is_kept_on_standard_error(redirection, reason):
    done = shell(f"$0 {redirection}", *FOCUSING, "--json")
    assert done.returncode == 1
    sentence, _, answer = done.stderr.partition("\n")
    assert sentence == f"Error: standard output cannot be written to ({reason}); this is the answer:"
    assert json.loads(answer)["solved_fraction"] == 1


@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full", "2>&- <&-"])
def test_a_standard_error_that_takes_nothing_changes_no_answer(redirection, tmp_path):
    done = shell(f"$0 {redirection}", *FOCUSING, "--json", "--out", str(tmp_path / "found.nc"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["solved_fraction"] == 1
    with xr.open_dataset(tmp_path / "found.nc", engine="h5netcdf") as dataset:  # no message went into the file
        assert bool(dataset.solved.all())


def test_a_reader_that_goes_away_is_said_and_no_traceback():
    done = shell("$0 | true; exit ${PIPESTATUS[0]}", *FOCUSING)
    assert done.returncode == 1
    assert "closed before the whole answer was read" in one_sentence(done.stderr)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["networks", "--help"]], ids=" ".join)
def test_a_help_text_that_cannot_be_written_is_one_sentence(arguments):
    done = shell("$0 > /dev/full", *arguments)
    assert done.returncode == 1
    assert "cannot be written to (No space left on device)" in one_sentence(done.stderr)


def test_an_answer_that_cannot_be_laid_out_is_printed_as_it_is(monkeypatch):
    monkeypatch.setattr("fmjax.cli.printing.text_of", lambda document, as_json: document["no such key"])
    result = CliRunner().invoke(app, FOCUSING)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["solved_fraction"] == 1
    assert result.stderr.startswith("Warning: the answer could not be laid out (KeyError('no such key'))")


@pytest.mark.parametrize(
    "arguments",
    [
        FOCUSING,
        ["local-entropy", "--size", "101", "--alpha", "0.3", "--samples", "1"],
        ["networks", "--dataset", "digits", "--width", "9", "--patterns", "10", "--seeds", "2", "--epochs", "2"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_an_answer_whose_file_cannot_be_written_is_printed(arguments, tmp_path, monkeypatch):
    error = OSError(errno.ENOSPC, "No space left on device")

    def full(self, content):
        raise error

    monkeypatch.setattr(Path, "write_bytes", full)
    result = CliRunner().invoke(app, [*arguments, "--json", "--out", str(tmp_path / "found.nc")])
    assert result.exit_code == 1
    assert json.loads(result.stdout)
    assert f"Error: --out could not be written: {error}" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_that_the_disk_has_no_room_for_loses_no_answer(tmp_path):
    done = shell("ulimit -f 1; $0", *FOCUSING, "--json", "--out", str(tmp_path / "found.nc"))
    assert done.returncode == 1
    assert json.loads(done.stdout)["solved_fraction"] == 1
    assert "Error: --out could not be written: [Errno 27] File too large" in done.stderr
    assert not list(tmp_path.iterdir())


# Devices, memory, interruptions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["cuda", "no-such-platform"])
def test_a_device_that_is_not_there_is_one_sentence(platform):
    done = shell("$0", *FOCUSING, JAX_PLATFORMS=platform)
    assert (done.returncode, done.stdout) == (1, "")
    wanted = f"JAX finds no device for JAX_PLATFORMS={platform}: set JAX_PLATFORMS=cpu to use the processor"
    assert wanted in one_sentence(done.stderr)


def test_a_setting_of_jax_that_is_none_is_one_sentence():
    done = shell("$0", *FOCUSING, JAX_ENABLE_X64="perhaps")
    assert (done.returncode, done.stdout) == (2, "")
    assert "JAX_ENABLE_X64" in one_sentence(done.stderr)


def test_more_memory_than_there_is_is_one_sentence():
    done = shell("$0", "focusing", "--size", "1000000", "--alpha", "2000")  # two petabytes
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is not enough memory" in one_sentence(done.stderr)
    done = shell("$0", "focusing", "--size", "1000000", "--alpha", "2e7")  # more than XLA can count
    assert (done.returncode, done.stdout) == (2, "")
    assert "alpha = 2e+07 asks for 2e+13 patterns" in one_sentence(done.stderr)


def test_an_interruption_while_a_command_is_looked_for_is_said():
    program = """
import sys, fmjax.cli, typer.core
def interrupted(*arguments):
    raise KeyboardInterrupt
typer.core.TyperGroup.invoke = interrupted
sys.argv = ["fmjax", "entropy", "--alpha", "0.5"]
fmjax.cli.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (130, "")
    assert one_sentence(done.stderr) == "Error: interrupted"


@pytest.mark.parametrize("wait", [0.0, 1.0, 4.0], ids=["importing", "beginning", "at work"])
def test_an_interruption_is_one_sentence_and_status_130(wait):
    """As soon as the libraries are being imported, which takes longer on a busy machine, and later."""
    command = [sys.executable, "-m", "fmjax.cli", "focusing", "--size", "3001", "--alpha", "0.7", "--samples", "1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        loaded = Path(f"/proc/{process.pid}/maps")
        while not wait and loaded.exists() and process.poll() is None and "numpy" not in loaded.read_text():
            time.sleep(0.01)
        time.sleep(wait or 0.1)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert one_sentence(error) == "Error: interrupted"


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["reproduce", "--quick", "--out", "out"], "finished figures and thresholds are kept, the same command goes on"),
        (["figure", "4", "--quick", "--out", "out"], "what was finished is kept, the same command goes on"),
        (["sweep", "diagram.toml", "--out", "diagram.zarr"], "finished blocks are kept, go on with --resume"),
        (["sweep", "diagram.toml", "--out", "a.zarr", "--resume"], "finished blocks are kept, the same command goes on"),
        (["networks", "--dataset", "digits", "--checkpoints", "here"], "the same command goes on where it stopped"),
        (["networks", "--dataset", "digits"], ""),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_left_after_an_interruption_is_said(arguments, kept, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    for name in ("fmjax.reproduce.run", "fmjax.reproduce.make_figure", "fmjax.sweeps.sweep", "fmjax.networks.run"):
        monkeypatch.setattr(name, interrupt)
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (130, "")
    assert one_sentence(result.stderr) == f"Error: interrupted{'; ' * bool(kept)}{kept}"


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (ValueError("margin must be finite"), 2, "margin must be finite"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a.toml"), 2, "a.toml: No such file or directory"),
        (OSError("no answer from the mirror"), 2, "no answer from the mirror"),
        (OSError(errno.ENOSPC, "No space left on device", "a.nc"), 1, "a.nc: No space left on device"),
        (ValueError("RESOURCE_EXHAUSTED: a/b: No space left on device"), 1, "not enough room on the disk: RESOURCE_EX"),
        (OSError(errno.ECONNABORTED, "the scheduler was lost"), 1, "the scheduler was lost"),
        (MemoryError("Unable to allocate 1 TiB"), 1, "there is not enough memory: Unable to allocate 1 TiB"),
        (ModuleNotFoundError("No module named 'zarr'", name="zarr"), 1, "needs zarr, which is not installed"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_everything_that_can_go_wrong_has_its_status(error, status, sentence):
    found = ending_of(error)
    assert found is not None
    assert found[0] == status
    assert sentence in found[1]


def test_an_interruption_is_found_behind_what_a_library_makes_of_it():
    error = ImportError("numpy._core.multiarray failed to import")
    error.__cause__ = KeyboardInterrupt()
    assert ending_of(error) == (130, "interrupted")


def test_an_interruption_that_python_ignores_comes_again():
    class Collected:
        def __del__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), interruptible():  # noqa: PT012
        kept = Collected()
        del kept
        time.sleep(5.0)


@pytest.mark.parametrize("error", [AttributeError("items"), RuntimeError("a bug"), ZeroDivisionError()])
def test_an_error_that_should_not_happen_keeps_its_traceback(error, monkeypatch):
    def broken(*arguments, **options):
        raise error

    monkeypatch.setattr("fmjax.message_passing.experiment.find_solutions", broken)
    assert ending_of(error) is None
    assert CliRunner().invoke(app, FOCUSING).exception is error


def test_every_status_is_documented():
    used = {running.ENVIRONMENT, running.REQUEST, running.UNCONVERGED, fmjax.cli.INTERRUPTED, 0}
    help_text = CliRunner().invoke(app, ["--help"]).stdout.partition("Exit status")[2].partition("Options")[0]
    for text in (help_text, fmjax.cli.__doc__):
        assert used == {int(status) for status in re.findall(r"(?<![\w.])(\d+)(?= [a-z])", text)}
