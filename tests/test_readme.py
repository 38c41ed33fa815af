"""What the README prints is what runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import fmjax

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
# Python blocks, each with what it prints where the next block is text.
PYTHON = [
    (source, shown if kind == "text" else "")
    for (language, source), (kind, shown) in zip(FENCED, [*FENCED[1:], ("", "")], strict=True)
    if language == "python"
]
NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:e[+-]?\d+)?")
INLINE = sorted(set(re.findall(r"`(fmjax [^`]+)`", TEXT)))


def command(name: str) -> str:
    """The one line behind the marker `<!-- command: name -->`; `.ci/run` takes it from the same place."""
    (line,) = re.findall(rf"^<!-- command: {name} -->\n```bash\n([^\n]+)\n```", TEXT, re.MULTILINE)
    return line


def test_there_is_something_to_check():
    assert PYTHON
    assert INLINE


def same_to_the_digits_shown(shown: str, printed: str) -> bool:
    """Equal words, and numbers that differ by at most one in the last digit shown; an error estimate is a bound."""
    if "".join(NUMBER.sub("#", shown).split()) != "".join(NUMBER.sub("#", printed).split()):
        return False
    for few, many in zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True):
        mantissa, _, exponent = few.partition("e")
        last = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        if abs(float(few) - float(many)) > 1.0001 * last:
            return False
    return True


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("0.314 converged", "0.31439 converged", True),
        ("0.314 converged", "0.31639 converged", False),
        ("0.314 converged", "0.314 the branch ends", False),
        ("[0.265 0.145]", "[0.26523948 0.1450502 ]", True),
        ("0.5", "0.5 0.5", False),
        ("4e-14", "3.8554e-14", True),
        ("4e-14", "4e-12", False),
        ("369", "369", True),
    ],
)
def test_numbers_are_compared_to_the_digits_shown(shown, printed, same):
    assert same_to_the_digits_shown(shown, printed) is same


def test_most_examples_show_what_they_print():
    assert len([shown for _, shown in PYTHON if shown]) >= 5


@pytest.mark.parametrize(("source", "shown"), PYTHON, ids=[f"block{i}" for i in range(len(PYTHON))])
def test_python_examples_run_as_a_user_would_run_them_and_print_what_is_shown(source, shown, tmp_path):
    done = subprocess.run([sys.executable, "-"], input=source, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not shown or same_to_the_digits_shown(shown, done.stdout), done.stdout


def test_the_version_to_cite_and_the_picture_are_there():
    assert f"version = {{{fmjax.__version__}}}" in TEXT
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)
    assert pictures
    assert all((ROOT / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in INLINE if line.split()[1] in {"entropy", "franz-parisi", "threshold"}])
def test_commands_of_the_table_succeed(line, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "fmjax.cli", *shlex.split(line)[1:]], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_two_commands_set_up_everything_on_one_line():
    steps = [step.strip() for step in command("main").split("&&")]
    assert steps[0] == "python3 -m venv .venv"
    assert steps[-1] == ".venv/bin/fmjax reproduce --quick --out out"
    steps = [step.strip() for step in command("test").split("&&")]
    assert steps[0] == "python3 -m venv .venv"
    assert steps[-1].startswith(".venv/bin/pytest")
