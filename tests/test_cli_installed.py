"""The command in a process of its own, and the programs that it keeps for the next one."""

import json
import os
import subprocess
import sys

import pytest


def installed_command(*arguments, **environment):
    """Run the command in a process of its own, with these environment variables instead of the tests' (None: unset)."""
    merged = {name: value for name, value in (os.environ | environment).items() if value is not None}
    done = subprocess.run([sys.executable, "-m", "fmjax.cli", *arguments], capture_output=True, text=True, env=merged)
    assert done.returncode == 0, done.stderr
    return done


def test_the_installed_command_answers_in_json():
    assert json.loads(installed_command("entropy", "--alpha", "0.5", "--json").stdout)["result"] == "converged"


@pytest.mark.parametrize("chosen", [True, False], ids=["where the user says", "in the cache of the user"])
def test_compiled_programs_are_kept_for_the_next_command(tmp_path, chosen):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    environment = {
        "XDG_CACHE_HOME": str(home),
        "JAX_COMPILATION_CACHE_DIR": str(elsewhere) if chosen else None,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": None,
    }
    kept = elsewhere if chosen else home / "fmjax" / "programs"
    counts = []
    for _ in range(2):
        assert installed_command("entropy", "--alpha", "0.5", **environment).stderr == ""  # compiled in less than a second
        counts.append(sum(path.name.startswith("jit__typical_root") for path in kept.rglob("*-cache")))
    assert counts == [1, 1]
    assert chosen != home.exists()


def test_a_cache_that_cannot_be_written_to_stops_no_command():
    done = installed_command("entropy", "--alpha", "0.5", XDG_CACHE_HOME="/dev/null", JAX_COMPILATION_CACHE_DIR=None)
    assert "converged" in done.stdout
    assert done.stderr == ""
