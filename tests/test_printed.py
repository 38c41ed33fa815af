"""Every command that is printed, in a help text, the README, a docstring, a notebook or the report, is run as it is.

Where one takes long, by an option at its end that changes no path of the code, or with figures that cost nothing.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app
from fmjax.reproduce import report
from tests import image_files, small_figures
from tests.image_files import write_mnist
from tests.test_cli_sweep import EXAMPLE
from tests.test_readme import INLINE

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [ROOT / "README.md", *ROOT.glob(".github/*.md"), *ROOT.glob("notebooks/*.py"), *ROOT.glob("fmjax/**/*.py")]
QUOTED = re.compile(r"`+(fmjax [a-z][^`]*)`")
LINE = re.compile(r"^ *(?:.*&& )?(?:\.venv/bin/)?(fmjax [a-z-]+(?: .*)?)$", re.MULTILINE)
PLACEHOLDER = re.compile(r"^\[|[{]|^[A-Z]{2,}(\.\w+)?$")
# From `tests/small_figures.py` and `tests/image_files.py`: figures that cost nothing, images and a server with small files.
small, root, server = small_figures.small, image_files.root, image_files.server


def help_texts(command):
    """Of a command and those below it: some are made from rows."""
    yield command.help or ""
    for below in getattr(command, "commands", {}).values():
        yield from help_texts(below)


def printed():
    """Every command, without the comment behind it."""
    found = set()
    for text in [*(path.read_text(encoding="utf-8") for path in SOURCES), *help_texts(typer.main.get_command(app))]:
        for match in [*QUOTED.findall(text), *LINE.findall(text)]:
            found.add(" ".join(re.sub(r"\s+#( |$).*", "", match, flags=re.DOTALL).replace("#", " ").split()))
    return sorted(found)


def command_of(words):
    """The command that the words name, and its arguments."""
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def is_complete(line):
    """Whether a line can be run, and does not only speak of a command; a wrong option or value is an error."""
    words = shlex.split(line)[1:]
    if any(map(PLACEHOLDER.search, words)):
        return False
    command, arguments = command_of(words)
    # Of single instances random patterns or a file are required, one of them.
    required = any(part.required for part in command.params) or command.name in {"focusing", "local-entropy"}
    if hasattr(command, "commands") or (required and not arguments):
        return False
    try:
        command.make_context(command.name, list(arguments))
    except typer.BadParameter as error:
        if "Missing" not in error.format_message():
            raise
        return False
    return True


PRINTED = printed()
COMPLETE = [line for line in PRINTED if is_complete(line)]


def lines(*commands):
    return [line for line in COMPLETE if line.split()[1] in commands]


THEORY = lines("entropy", "franz-parisi", "robust-ensemble", "thermodynamics", "threshold")
INSTANCES, NETWORKS, SWEEPS = lines("focusing", "local-entropy"), lines("networks"), lines("sweep")
FIGURES, DATA = lines("figure", "reproduce"), lines("data")


def invoke(line, *more):
    result = CliRunner().invoke(app, [*shlex.split(line)[1:], *more])
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def test_all_of_them_are_found_and_run():
    assert len(COMPLETE) > 35
    groups = (THEORY, INSTANCES, NETWORKS, SWEEPS, FIGURES, DATA)
    assert all(groups)
    assert sorted(line for group in groups for line in group) == COMPLETE
    assert set(INLINE) <= set(PRINTED)


@pytest.mark.parametrize("line", PRINTED)
def test_a_command_that_is_spoken_of_is_there(line):
    words = shlex.split(line)[1:]
    first = next((place for place, word in enumerate(words) if PLACEHOLDER.search(word) or word.startswith("-")), len(words))
    command, _ = command_of(words[:first])
    assert command.name in {"fmjax", *words}
    assert command.name != "fmjax" or not words
    options = {option for part in command.params for option in part.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.slow
@pytest.mark.parametrize("line", THEORY)
def test_commands_of_the_theory(line):
    assert "converged" in invoke(line)


@pytest.mark.parametrize("line", INSTANCES)
def test_commands_of_single_instances(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("X.npy", rng.choice([-1, 1], (50, 201)))
    np.save("y.npy", rng.choice([-1, 1], 50))
    assert "solved" in invoke(line)


@pytest.mark.slow
@pytest.mark.parametrize("line", NETWORKS)
def test_commands_of_networks(line, root, monkeypatch):
    """Images of one's own in place of those that have to be fetched; all the defaults but two."""
    monkeypatch.chdir(root)
    rng = np.random.default_rng(0)
    for name in ("mnist", "fashion-mnist"):
        write_mnist(
            root, rng.integers(256, size=(15_000, 3, 3), dtype=np.uint8), np.arange(15_000, dtype=np.uint8) % 10, name
        )
    shown = invoke(line, "--seeds", "2", "--epochs", "1")
    assert re.search(r"^patterns +train_error", shown, re.MULTILINE)
    assert ("--out" in line) == bool(list(root.glob("*.nc")))


@pytest.mark.slow
def test_commands_of_sweeps(tmp_path):
    (tmp_path / "diagram.toml").write_text(EXAMPLE)
    begun = False
    # What only plans comes first, and what goes on comes last.
    for line in sorted(SWEEPS, key=lambda line: ("--dry-run" not in line, "--resume" in line, line)):
        words = shlex.split(line)[1:]
        if "--workers" in words:
            words += ["--workers", "2"]
        if begun and not {"--dry-run", "--resume"} & set(words):
            words[words.index("--out") + 1] = f"{len(words)}.zarr"
        done = subprocess.run([sys.executable, "-m", "fmjax.cli", *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        assert "45" in done.stdout
        begun = begun or "--dry-run" not in words
    assert fmjax.open(tmp_path / "diagram.zarr").entropy.size == 45


@pytest.mark.parametrize("line", FIGURES)
def test_commands_of_figures(line, small, tmp_path, monkeypatch):
    """As in full: `.ci/run` makes all figures with --quick by the command of the README."""
    monkeypatch.chdir(tmp_path)
    invoke(line)
    assert list((tmp_path / "out").glob("*.png"))


@pytest.mark.parametrize("line", DATA)
def test_commands_of_data(line, root, server):
    more = ["--mirror", server[0]] if "fetch" in line else []
    assert str(root) in invoke(line, *more)


@pytest.mark.parametrize("line", sorted(set(report.COMMANDS.values())))
def test_commands_of_the_report_are_complete(line):
    """They are run when the report is made, by the functions behind them."""
    assert is_complete(line)
