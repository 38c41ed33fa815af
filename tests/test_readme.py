"""What the README and CONTRIBUTING print is what runs, and what they say is there is there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fmjax
from fmjax.quantities.listing import table
from tests.test_layout import ROWS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")


def examples(text: str) -> list[tuple[str, str]]:
    """Python blocks, each with what it prints where the next block is text."""
    fenced = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    following = [*fenced[1:], ("", "")]
    return [
        (source, shown if kind == "text" else "")
        for (language, source), (kind, shown) in zip(fenced, following, strict=True)
        if language == "python"
    ]


PYTHON = examples(TEXT) + examples(CONTRIBUTING)
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


def test_every_example_shows_what_it_prints():
    assert len(PYTHON) >= 5
    assert all(shown for _, shown in PYTHON)


def test_the_readme_is_read_in_a_few_minutes():
    assert len(TEXT.splitlines()) <= 180


def test_the_table_of_what_can_be_computed_is_that_of_the_quantities():
    assert table() in TEXT, f"put this table into the README:\n{table()}"


@pytest.mark.parametrize("text", [TEXT, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_files_and_tests_that_are_pointed_to_are_there(text):
    linked = {name for name in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in name}
    named = set(re.findall(r"`((?:tests|benchmarks|fmjax|\.github)/[\w./-]+)", text))
    assert [name for name in sorted(linked | named) if not (ROOT / name).exists()] == []
    tests = re.findall(r"`(tests/\w+\.py)::(\w+)`", text)
    assert [test for path, test in tests if f"def {test}(" not in (ROOT / path).read_text(encoding="utf-8")] == []


def test_the_layout_of_contributing_is_the_reading_order():
    assert tuple(re.findall(r"^\| `(\w+)(?:\.py|/)` \|", CONTRIBUTING, re.MULTILINE)) == ROWS


@pytest.mark.parametrize(("source", "shown"), PYTHON, ids=[f"block{i}" for i in range(len(PYTHON))])
def test_python_examples_run_as_a_user_would_run_them_and_print_what_is_shown(source, shown, tmp_path):
    done = subprocess.run([sys.executable, "-"], input=source, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not shown or same_to_the_digits_shown(shown, done.stdout), done.stdout


def test_one_version_is_cited_and_described():
    github = ROOT / ".github"
    assert f"version {fmjax.__version__}," in TEXT
    assert f"\nversion: {fmjax.__version__}\n" in (github / "CITATION.cff").read_text(encoding="utf-8")
    described = re.findall(r"^## (\d\S*)", (github / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert described[0] == fmjax.__version__


def test_the_picture_is_there():
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT)
    assert pictures
    assert all((ROOT / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)


def test_the_two_commands_set_up_everything_on_one_line():
    steps = [step.strip() for step in command("main").split("&&")]
    assert steps[0] == "python3 -m venv .venv"
    assert steps[-1] == ".venv/bin/fmjax reproduce --quick --out out"
    steps = [step.strip() for step in command("test").split("&&")]
    assert steps[0] == "python3 -m venv .venv"
    assert steps[-1].startswith(".venv/bin/pytest")
