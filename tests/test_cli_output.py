"""Standard output holds the answer and nothing else, also where some of it did not converge."""

import json
import math
import sys
from types import SimpleNamespace

import pytest

import fmjax
from fmjax.quantities import solved
from tests import command_line
from tests.command_line import answer, fmjax_command

no_theory = command_line.no_theory


def test_what_the_library_prints_and_warns_does_not_reach_standard_output(monkeypatch, no_theory):
    quiet = solved.entropy

    def entropy(values):
        print("chatter")
        return quiet(values)

    monkeypatch.setattr(solved, "entropy", entropy)
    result = fmjax_command("entropy", "--alpha", 0.5, "--json")
    assert json.loads(result.stdout)["entropy"] == 0.1
    assert "chatter" in result.stderr


def test_without_json_the_same_numbers_come_as_a_table(no_theory):
    result = fmjax_command("franz-parisi", "--alpha", 0.5, "--reference-margin", 0.1, "--distances", "0.1:0.3:3")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["alpha", "0.5"] in lines
    header = next(i for i, line in enumerate(lines) if line and line[0] == "distance")
    assert [line[0] for line in lines[header + 1 :]] == ["0.1", "0.2", "0.3"]
    assert all(line[-1] == "converged" for line in lines[header + 1 :])


def test_a_row_that_did_not_converge_is_kept_with_its_reason_and_status_3(no_theory):
    document = answer(
        *("franz-parisi", "--alpha", 0.5, "--reference-margin", 0.1, "--distance", 0.95, "--distance", 0.1), status=3
    )
    lost, found = document["rows"]
    assert lost["distance"] == 0.95
    assert lost["entropy"] is None
    assert "it ends, or turns" in lost["result"]
    assert found["result"] == "converged"
    assert found["entropy"] == 0.1


def test_without_kappa_max_every_row_says_so(monkeypatch, no_theory):
    lost = SimpleNamespace(value=math.nan, converged=False, result="Newton left the domain")
    monkeypatch.setitem(vars(fmjax), "thresholds", SimpleNamespace(kappa_max=lambda model, alpha: lost))
    document = answer(*("franz-parisi", "--alpha", 0.5, "--reference-margin", "max", "--distances", "0.1:0.2:2"), status=3)
    assert document["reference_margin"] is None
    assert [row["distance"] for row in document["rows"]] == [0.1, 0.2]
    assert all("Newton left the domain" in row["result"] for row in document["rows"])


@pytest.mark.parametrize(("converged", "status"), [(True, 0), (False, 3)])
def test_figures_report_convergence_by_exit_status(converged, status, monkeypatch, tmp_path):
    calls = []

    def make_figure(name, out, quick, workers, scheduler):
        calls.append((name, out, quick, workers, scheduler))
        return converged

    monkeypatch.setitem(sys.modules, "fmjax.reproduce", SimpleNamespace(make_figure=make_figure))
    monkeypatch.setitem(vars(fmjax), "reproduce", sys.modules["fmjax.reproduce"])
    result = fmjax_command("figure", "phase-diagram", "--quick", "--out", tmp_path, "--workers", 2)
    assert (result.exit_code, result.stdout) == (status, "")
    assert calls == [("phase-diagram", tmp_path, True, 2, None)]
