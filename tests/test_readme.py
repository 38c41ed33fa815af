"""What the README prints is what runs."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
INLINE = sorted(set(re.findall(r"`(fmjax [^`]+)`", TEXT)))


def command(name: str) -> str:
    """The one line behind the marker `<!-- command: name -->`; `.ci/run` takes it from the same place."""
    (line,) = re.findall(rf"^<!-- command: {name} -->\n```bash\n([^\n]+)\n```", TEXT, re.MULTILINE)
    return line


def test_there_is_something_to_check():
    assert PYTHON
    assert INLINE


@pytest.mark.parametrize("source", PYTHON, ids=[f"block{i}" for i in range(len(PYTHON))])
def test_python_examples_run_as_a_user_would_run_them(source, tmp_path):
    done = subprocess.run([sys.executable, "-"], input=source, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
