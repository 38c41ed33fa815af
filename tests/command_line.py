"""Commands that run in this process: their answer, or the sentence that refuses them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fmjax.cli import app
from fmjax.solvers.outcome import BRANCH_ENDED, CONVERGED

FOCUSING = ["focusing", "--size", "101", "--alpha", "0.3"]


def fmjax_command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments):
    """Run a command that makes no sense; its message."""
    result = fmjax_command(*arguments)
    assert result.exit_code == 2, (result.stdout, result.stderr, result.exception)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    *_, message = (line for line in result.stderr.strip().splitlines() if not line.startswith("\t"))  # words to choose from
    assert message.startswith("Error: ")
    return message


def answer(*arguments, status=0):
    """Run a command with `--json`; its document."""
    result = fmjax_command(*arguments, "--json")
    assert result.exit_code == status, (result.stdout, result.stderr, result.exception)

    def reject(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(result.stdout, parse_constant=reject)


@pytest.fixture
def no_theory(monkeypatch):
    """Replace the theory by one that answers what it was asked, for tests of parsing alone."""
    calls = []

    def entropy(values):
        calls.append({name: values[name] for name in ("alpha", "margin")})
        numbers = {"entropy": 0.1, "overlap": 0.3, "conjugate": 0.4, "distance": 0.35, "replicon": 0.5}
        return numbers | {"residual": 1e-16, "error_estimate": 1e-12, "steps": 5, "result": CONVERGED}

    def franz_parisi(values):
        names = ("alpha", "reference_margin")
        distance = values["distance"]
        calls.append({name: values[name] for name in names} | {"distance": distance.tolist()})
        numbers = {"slope": 0.2, "overlap": 0.3, "cross_overlap": 0.4, "replicon": 0.5, "residual": 1e-16}
        columns = {name: np.full(len(distance), number) for name, number in (numbers | {"error_estimate": 1e-12}).items()}
        lost = distance > 0.9
        return columns | {"entropy": np.where(lost, np.nan, 0.1), "result": np.where(lost, BRANCH_ENDED, CONVERGED)}

    monkeypatch.setattr("fmjax.quantities.solved.entropy", entropy)
    monkeypatch.setattr("fmjax.quantities.solved.franz_parisi", franz_parisi)
    return calls
