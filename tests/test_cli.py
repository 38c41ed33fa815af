"""The command line as users and scripts see it: what is printed where, and the exit status."""

import json
import math
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import typer
import xarray as xr
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app
from fmjax.quantities import QUANTITIES, solved
from fmjax.solvers.outcome import BRANCH_ENDED, CONVERGED

THEORY_COMMANDS = [
    ["entropy", "--alpha", "0.5"],
    ["franz-parisi", "--alpha", "0.5", "--reference-margin", "0.2", "--distance", "0.1"],
    ["robust-ensemble", "--alpha", "0.5", "--replicas", "inf", "--overlap", "0.9"],
    ["threshold", "capacity"],
    ["threshold", "kappa-max", "--alpha", "0.5"],
    ["threshold", "kappa-min", "--alpha", "0.5"],
    ["threshold", "kappa-u", "--alpha", "0.5"],
    ["threshold", "alpha-u"],
    ["threshold", "one-step-capacity", "--weights", "spherical", "--margin", "-1"],
    ["threshold", "perfect-generalisation", "--task", "teacher-student"],
]


def fmjax_command(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments):
    """Run a command that makes no sense; its message."""
    result = fmjax_command(*arguments)
    assert result.exit_code == 2, (result.stdout, result.stderr, result.exception)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    message = result.stderr.strip().splitlines()[-1]
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


# What makes no sense: status 2, one message, nothing on standard output -----------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["entropy"], ["--alpha"]),
        (["entropy", "--alpha", "half"], ["--alpha", "half", "number"]),
        (["entropy", "--alpha", "nan"], ["--alpha", "nan", "number"]),
        (["entropy", "--alpha", "0.5", "--margin", "inf"], ["--margin", "inf", "number"]),
        (["entropy", "--alpha", "0.5", "--gamma", "1"], ["--gamma"]),
        (["entropie", "--alpha", "0.5"], ["entropie"]),
        (["entropy", "--alpha", "0.5", "--task", "teacher"], ["--task", "teacher-student", "storage"]),
        (["entropy", "--alpha", "0.5", "--architecture", "forest"], ["--architecture", "forest", "committee"]),
        (["entropy", "--alpha", "0.5", "--architecture", "committee"], ["--activation", "relu"]),
        (["entropy", "--alpha", "0.5", "--activation", "relu"], ["--architecture committee", "relu"]),
        (["entropy", "--alpha", "0.5", "--slope", "0.2"], ["--slope", "leaky-relu"]),
        (["entropy", "--alpha", "0.5", "--constraint", "symmetric", "--margin", "0"], ["margin = 0", "positive"]),
        (["threshold", "spinodal"], ["--task teacher-student"]),
        (["threshold", "kappa-max", "--alpha", "0.5", "--weights", "spherical"], ["kappa-max", "--weights binary"]),
        (["robust-ensemble", "--alpha", "0.5", "--replicas", "4", "--overlap", "0.9", "--weights", "spherical"], ["binary"]),
        (
            ["threshold", "alpha-u", "--architecture", "committee", "--activation", "leaky-relu", "--slope", "-1"],
            ["activation", "even", "odd"],
        ),
        (["franz-parisi", "--alpha", "0.5", "--distance", "0.1"], ["--reference-margin"]),
        (["franz-parisi", "--alpha", "0.5", "--reference-margin", "0.1"], ["--distance", "--distances"]),
        (
            ["franz-parisi", "--alpha", "0.5", "--reference-margin", "most", "--distance", "0.1"],
            ["--reference-margin", "most", "max"],
        ),
        (
            ["franz-parisi", "--alpha", "0.5", "--reference-margin", "0.1", "--distance", "0.1", "--distance", "far"],
            ["--distance", "far", "number"],
        ),
        (
            ["franz-parisi", "--alpha", "0.5", "--reference-margin", "0.1", "--distance", "0.1", "--rsb", "2"],
            ["--rsb", "2", "0", "1"],
        ),
        (
            ["franz-parisi", "--alpha", "0.5", "--reference-margin", "0", "--distance", "0.1", "--distances", "0:1:3"],
            ["--distance", "--distances"],
        ),
        (["threshold", "capacity", "--alpha", "0.5"], ["--alpha"]),
        (["threshold", "kappa-max"], ["--alpha"]),
        (["threshold", "perfect-generalisation"], ["--task", "teacher-student"]),
        (["threshold", "alpha-c"], ["alpha-c"]),
        (["figure", "9", "--out", "somewhere"], ["9", "phase-diagram"]),
        (["figure", "2"], ["--out"]),
        (["reproduce"], ["--out"]),
        (["reproduce", "--out", "somewhere", "--fast"], ["--fast"]),
        (["focusing", "--alpha", "0.5"], ["--size"]),
        (["focusing", "--size", "11"], ["--alpha"]),
        (["focusing", "--size", "11.5", "--alpha", "0.5"], ["--size", "integer"]),
        (["focusing", "--size", "11", "--alpha", "nan"], ["--alpha", "nan"]),
        (["focusing", "--size", "0", "--alpha", "0.5"], ["size", "0"]),
        (["focusing", "--size", "11", "--alpha", "-0.5"], ["alpha", "-0.5"]),
        (["focusing", "--size", "11", "--alpha", "0.5", "--samples", "0"], ["--samples", "0"]),
        (["focusing", "--size", "11", "--alpha", "0.5", "--seed", "-1"], ["--seed", "-1"]),
        (["focusing", "--size", "11", "--alpha", "0.5", "--out", "nowhere/x.nc"], ["--out", "nowhere"]),
        (
            ["focusing", "--size", "11", "--alpha", "0.5", "--out", "x.csv"],
            ["--out must name a NetCDF file, like x.nc, not x.csv"],
        ),
        (["local-entropy", "--size", "11", "--alpha", "0.5", "--margin", "some"], ["--margin", "some"]),
        (["local-entropy", "--size", "11"], ["--alpha", "--patterns"]),
        (["focusing", "--size", "11", "--patterns", "X.npy"], ["--size", "--patterns"]),
        (["focusing", "--size", "11", "--alpha", "0.5", "--labels", "y.npy"], ["--labels", "--patterns"]),
        (["focusing", "--patterns", "X.npy"], ["X.npy", "no patterns", "No such file"]),
        (["focusing", "--patterns", "X.txt"], ["patterns", ".npy, .npz or .csv", "X.txt"]),
        (["focusing", "--size", "12", "--alpha", "0.5", "--units", "3"], ["--units 3", "perceptron", "committee"]),
        (["focusing", "--size", "12", "--alpha", "0.5", "--architecture", "committee"], ["--units"]),
        (
            ["focusing", "--size", "11", "--alpha", "0.5", "--architecture", "committee", "--units", "3"],
            ["11 weights", "3 units", "12"],
        ),
        (["local-entropy", "--size", "11", "--alpha", "0.5", "--out", "."], ["--out", "."]),
    ],
    ids=" ".join,
)
def test_a_wrong_request_is_refused_by_name(arguments, named, tmp_path, monkeypatch, no_theory):
    monkeypatch.chdir(tmp_path)
    message = refused(*arguments)
    assert all(name in message for name in named), message
    assert not list(tmp_path.iterdir())
    assert not no_theory


@pytest.mark.parametrize("span", ["0.1", "0.1:0.2", "0:1:2.5", "a:b:c", "0.1:0.2:0", "0:1:-3", "0:1:2:3", "0.1:nan:3"])
def test_a_wrong_span_of_distances_is_refused(span, no_theory):
    message = refused("franz-parisi", "--alpha", "0.5", "--reference-margin", "0.1", "--distances", span)
    assert "--distances" in message
    assert span in message


@pytest.mark.parametrize("command", THEORY_COMMANDS, ids=" ".join)
def test_a_missing_configuration_file_is_refused(command):
    assert "nowhere.toml" in refused(*command, "--config", "nowhere.toml")


def test_a_message_of_the_library_is_passed_on_without_a_traceback(monkeypatch, no_theory):
    def entropy(values):
        raise ValueError(f"alpha must be positive, not {values['alpha']}")

    monkeypatch.setattr("fmjax.quantities.solved.entropy", entropy)
    assert refused("entropy", "--alpha", "-1") == "Error: alpha must be positive, not -1.0"


def test_an_unwritable_directory_is_named(monkeypatch, tmp_path):
    def make_figure(name, out, quick, **_):
        (out / name).mkdir(parents=True)

    occupied = tmp_path / "occupied"
    occupied.write_text("")
    monkeypatch.setitem(sys.modules, "fmjax.reproduce", SimpleNamespace(make_figure=make_figure))
    monkeypatch.setitem(vars(fmjax), "reproduce", sys.modules["fmjax.reproduce"])
    assert "occupied" in refused("figure", "2", "--out", occupied)


@pytest.mark.parametrize("arguments", [["figure", "2"], ["reproduce"]], ids=" ".join)
def test_results_that_could_not_be_written_are_not_computed(arguments, tmp_path, no_theory):
    occupied = tmp_path / "occupied"
    occupied.write_text("something else")
    for out in (occupied, occupied / "below"):
        message = refused(*arguments, "--quick", "--out", out)
        assert str(occupied) in message
    assert occupied.read_text() == "something else"
    assert not no_theory


@pytest.mark.parametrize(
    "arguments",
    [
        ["focusing", "--size", "11", "--alpha", "0.5"],
        ["local-entropy", "--size", "11", "--alpha", "0.5"],
        ["networks", "--dataset", "digits"],
    ],
    ids=" ".join,
)
def test_a_file_that_is_there_is_not_overwritten(arguments, tmp_path):
    out = tmp_path / "found.nc"
    out.write_text("something else")
    assert str(out) in refused(*arguments, "--out", out)
    assert out.read_text() == "something else"


# Standard output holds the answer and nothing else --------------------------------------------------------------------


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


# Help ------------------------------------------------------------------------------------------------------------------


def commands(command, path=()):
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands(typer.main.get_command(app))], ids=" ".join)
def test_help_is_whole_and_fits_a_terminal(path):
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    text, _, listed = result.stdout.partition("\nCommands:\n")
    assert "..." not in listed, "the first sentence of a command is too long for the list"
    lines = [line for line in text.splitlines() if not line.startswith("    fmjax ")]
    assert len(lines) < len(text.splitlines()), "there is no example"
    assert [line for line in lines if len(line) > 80] == []


def test_help_names_every_quantity_of_a_sweep():
    text = fmjax_command("sweep", "--help").stdout
    assert all(name in text for name in QUANTITIES)


# The configuration file -----------------------------------------------------------------------------------------------


def config(tmp_path, text):
    path = tmp_path / "request.toml"
    path.write_text(text)
    return path


def test_keys_of_the_file_stand_in_for_flags_and_flags_win(tmp_path, no_theory):
    path = config(tmp_path, "alpha = 0.5\nmargin = 0.1\njson = true\ntask = 'storage'\n")
    result = fmjax_command("entropy", "--config", path, "--alpha", 0.25)
    assert result.exit_code == 0, result.stderr
    assert no_theory == [{"alpha": 0.25, "margin": 0.1}]
    assert json.loads(result.stdout)["margin"] == 0.1


def test_a_file_with_a_byte_order_mark_is_read(tmp_path, no_theory):
    path = tmp_path / "request.toml"
    path.write_bytes(b"\xef\xbb\xbfalpha = 0.5\r\nmargin = 0.1\r\n")
    assert fmjax_command("entropy", "--config", path).exit_code == 0
    assert no_theory == [{"alpha": 0.5, "margin": 0.1}]


@pytest.mark.parametrize("key", ["reference-margin", "reference_margin"])
@pytest.mark.parametrize(
    ("distance", "expected"),
    [("distance = [0.1, 0.3]", [0.1, 0.3]), ("distance = 0.1", [0.1]), ("distances = '0:1:3'", [0, 0.5, 1])],
)
def test_lists_and_spans_in_the_file(key, distance, expected, tmp_path, no_theory):
    path = config(tmp_path, f"alpha = 0.5\n{key} = 0.2\nrsb = 0\n{distance}\n")
    fmjax_command("franz-parisi", "--config", path)
    assert no_theory == [{"alpha": 0.5, "reference_margin": 0.2, "distance": expected}]


@pytest.mark.parametrize(
    ("in_file", "flags", "expected"),
    [
        ("distances = '0:1:3'", ["--distance", "0.25"], [0.25]),
        ("distance = [0.1, 0.2]", ["--distances", "0:1:2"], [0, 1]),
        ("distance = [0.1, 0.2]", ["--distance", "0.25"], [0.25]),
    ],
)
def test_distances_behind_a_flag_replace_those_of_the_file(in_file, flags, expected, tmp_path, no_theory):
    path = config(tmp_path, f"alpha = 0.5\nreference-margin = 0.2\n{in_file}\n")
    fmjax_command("franz-parisi", "--config", path, *flags)
    assert no_theory[0]["distance"] == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alpha = 0.5\nkappa = 0.1", ["kappa", "margin"]),
        ("alpha = 0.5\n[entropy]\nmargin = 0.1", ["entropy"]),
        ("alpha = 0.5\nconfig = 'other.toml'", ["config"]),
        ("alpha = true", ["alpha", "True"]),
        ("alpha = [0.5]", ["alpha", "number"]),
        ("alpha = 'half'", ["--alpha", "half"]),
        ("alpha = 0.5\njson = 1", ["json", "true or false"]),
        ("alpha = 0.5\ntask = 'teacher'", ["--task", "storage"]),
        ("alpha 0.5", ["not TOML"]),
    ],
)
def test_a_wrong_file_is_refused_by_name(text, named, tmp_path, no_theory):
    message = refused("entropy", "--config", config(tmp_path, text))
    assert all(name in message for name in named), message
    assert not no_theory


# With the theory ------------------------------------------------------------------------------------------------------


def test_entropy_documents_the_typical_solutions():
    document = answer("entropy", "--alpha", 0.5, "--margin", 0.1)
    assert document["alpha"] == 0.5
    assert document["margin"] == 0.1
    assert document["result"] == "converged"
    assert 0 < document["entropy"] < math.log(2)
    assert document["distance"] == pytest.approx((1 - document["overlap"]) / 2, abs=1e-15)
    assert document["conjugate"] > 0
    assert document["residual"] < 1e-8
    assert 0 <= document["error_estimate"] < 1e-8


def test_models_of_other_weights_and_constraints_can_be_asked_for():
    sphere = answer("threshold", "capacity", "--weights", "spherical")
    assert (sphere["weights"], sphere["value"]) == ("spherical", pytest.approx(2.0, abs=1e-10))  # Cover 1965
    symmetric = answer("threshold", "capacity", "--constraint", "symmetric", "--margin", 1.0)
    first_moment = -math.log(2) / math.log(math.erf(math.sqrt(0.5)))  # Aubin, Perkins, Zdeborova 2019
    assert (symmetric["constraint"], symmetric["value"]) == ("symmetric", pytest.approx(first_moment, abs=1e-10))


def test_the_spinodal_lies_beyond_perfect_generalisation():
    task = ("--task", "teacher-student")
    alone = answer("threshold", "perfect-generalisation", *task)
    found = fmjax.thresholds.spinodal(fmjax.Perceptron(teacher=True))
    assert answer("threshold", "spinodal", *task)["value"] == float(found.value) > alone["value"]


def test_a_counted_margin_moves_the_threshold_of_the_reference():
    counted = answer("threshold", "kappa-u", "--alpha", 0.5, "--margin", 0.1)
    expected = fmjax.thresholds.kappa_u(fmjax.Perceptron(margin=0.1), 0.5).value
    assert counted["value"] == pytest.approx(float(expected), abs=1e-10)


def test_entropy_with_a_teacher_documents_how_much_was_learned():
    document = answer("entropy", "--alpha", 1.2, "--task", "teacher-student")
    assert document["task"] == "teacher-student"
    assert document["result"] == "converged"
    assert document["teacher_overlap"] == pytest.approx(document["overlap"], abs=1e-10)
    assert document["teacher_conjugate"] == pytest.approx(document["conjugate"], abs=1e-8)
    assert document["generalisation_error"] == pytest.approx(math.acos(document["overlap"]) / math.pi, abs=1e-10)
    assert 0 < document["replicon"] < 1


def test_franz_parisi_rows_come_in_the_order_asked():
    asked = [0.3, 0.05, 0.2]
    flags = [part for distance in asked for part in ("--distance", distance)]
    document = answer("franz-parisi", "--alpha", 0.5, "--reference-margin", 0.3, *flags)
    assert [row["distance"] for row in document["rows"]] == asked
    assert document["reference_margin"] == 0.3
    for row in document["rows"]:
        d = row["distance"]
        assert set(row) == {
            *("distance", "entropy", "slope", "overlap", "cross_overlap", "replicon"),
            *("residual", "error_estimate", "result"),
        }
        assert row["result"] == "converged"
        assert 0 < row["entropy"] <= -d * math.log(d) - (1 - d) * math.log1p(-d)
    # Every distance gets the answer it would have got alone.
    alone = answer("franz-parisi", "--alpha", 0.5, "--reference-margin", 0.3, "--distance", asked[1])
    assert alone["rows"][0]["entropy"] == pytest.approx(document["rows"][1]["entropy"], abs=1e-10)


def test_franz_parisi_with_a_teacher_documents_how_close_counted_solutions_are_to_it():
    """At margins 0 the teacher is to a counted solution what another typical one is: ``R = t``."""
    at = ("--alpha", 0.9, "--reference-margin", 0, "--distance", 0.4, "--distance", 0.2)
    document = answer("franz-parisi", *at, "--task", "teacher-student")
    assert (document["task"], document["reference_margin"]) == ("teacher-student", 0)
    assert [row["distance"] for row in document["rows"]] == [0.4, 0.2]
    for row in document["rows"]:
        assert row["result"] == "converged"
        assert row["teacher_overlap"] == pytest.approx(row["cross_overlap"], abs=1e-7)
        assert row["generalisation_error"] == pytest.approx(math.acos(row["teacher_overlap"]) / math.pi, abs=1e-12)
        assert 0 < row["error_estimate"] < 1e-7


def test_the_largest_reference_margin_is_kappa_max():
    largest = answer("threshold", "kappa-max", "--alpha", 0.5)
    assert largest["name"] == "kappa-max"
    document = answer("franz-parisi", "--alpha", 0.5, "--reference-margin", "max", "--distance", 0.1)
    assert document["reference_margin"] == pytest.approx(largest["value"], abs=1e-12)


def test_capacity_is_the_published_number():
    document = answer("threshold", "capacity")
    assert document["value"] == pytest.approx(0.83307859973957923, abs=1e-12)
    assert document["margin"] == 0
    assert document["result"] == "converged"


# Single instances -----------------------------------------------------------------------------------------------------

SAMPLE = {"seed", "solved", "errors", "sweeps", "min_stability", "seconds", "result"}


def test_focusing_documents_every_sample_and_writes_what_it_found(tmp_path):
    path = tmp_path / "found.nc"
    document = answer("focusing", "--size", 201, "--alpha", 0.4, "--samples", 2, "--seed", 5, "--out", path)
    assert (document["size"], document["alpha"], document["margin"], document["solved_fraction"]) == (201, 0.4, 0, 1)
    assert [sample["seed"] for sample in document["samples"]] == [5, 6]
    for sample in document["samples"]:
        assert set(sample) == SAMPLE
        assert (sample["solved"], sample["errors"], sample["result"]) == (True, 0, "solved")
        assert sample["min_stability"] > 0
        assert sample["seconds"] > 0
    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        assert {"fmjax", "jax", "numpy", "command"} <= set(dataset.attrs)
        assert dataset.seed.to_numpy().tolist() == [5, 6]
        weights = dataset.weights.to_numpy()
    patterns = np.asarray(fmjax.message_passing.Instance.random(jax.random.key(6), 201, 0.4).patterns, dtype=int)
    assert (patterns @ weights[1]).min() / math.sqrt(201) == pytest.approx(document["samples"][1]["min_stability"])
    assert list(tmp_path.iterdir()) == [path]


def save(path, array, name="patterns"):
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, **{name: array})
    else:
        np.savetxt(path, array, delimiter=",", fmt="%s")
    return path


@pytest.mark.parametrize("kind", [".npy", ".npz", ".csv"])
def test_focusing_learns_patterns_of_files(kind, tmp_path):
    rng = np.random.default_rng(0)
    patterns, labels = rng.choice([-1, 1], (40, 101)), rng.choice([-1, 1], 40)
    files = (
        save(tmp_path / f"X{kind}", (patterns + 1) // 2),
        save(tmp_path / f"y{kind}", np.array(["no", "yes"])[(labels + 1) // 2]),
    )
    out = tmp_path / "found.nc"
    committee = ("--architecture", "fully-connected", "--units", 3)
    document = answer("focusing", "--patterns", files[0], "--labels", files[1], *committee, "--samples", 2, "--out", out)
    assert (document["size"], document["units"], document["solved_fraction"]) == (303, 3, 1)
    with xr.open_dataset(out, engine="h5netcdf") as dataset:
        assert dataset.solved.all()
        first, second = dataset.weights.to_numpy().reshape(2, 3, 101).astype(int)
    assert not np.array_equal(first, second)
    assert np.all(np.sign(np.sign(patterns @ first.T).sum(axis=1)) == labels)


def test_the_entropy_around_solutions_for_patterns_of_a_file(tmp_path):
    patterns = np.random.default_rng(0).choice([-1, 1], (40, 201))
    labels = np.ones(40)
    np.savez(tmp_path / "both.npz", patterns=patterns, labels=labels)
    document = answer("local-entropy", "--patterns", tmp_path / "both.npz", "--samples", 1, "--damping", 0.5)
    assert document["alpha"] == pytest.approx(40 / 201)
    assert document["rows"][0]["result"] == "converged"
    assert 0 < document["rows"][0]["entropy"] < math.log(2)


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("X.npy", b"nothing", ["X.npy", "no patterns"]),
        ("X.npz", b"nothing", ["X.npz", "no patterns"]),
        ("X.csv", b"", ["X.csv", "no patterns"]),
        ("X.csv", b"1,-1,1\n1,-1\n", ["X.csv", "no patterns"]),
        ("X.csv", b"1,-1,3\n1,-1,1\n", ["patterns", "3"]),
        ("X.csv", b"a,b\nc,d\n", ["X.csv holds words, like 'a'", "header"]),
        ("X.csv", b"1 -1 1\n1 -1 -1\n", ["X.csv holds words, like '1 -1 1'", "commas"]),
    ],
)
def test_files_without_patterns_are_refused(name, content, named, tmp_path):
    (tmp_path / name).write_bytes(content)
    message = refused("focusing", "--patterns", tmp_path / name)
    assert all(word in message for word in named), message


def test_labels_of_other_numbers_and_values_are_refused(tmp_path):
    patterns = save(tmp_path / "X.npy", np.ones((3, 5)))
    for labels, named in (
        (np.ones(2), r"\(3,\)"),
        (np.arange(3), "two values"),
        (np.array([1.0, np.nan, 1.0]), "labels must be finite: 1 of 3"),
    ):
        (tmp_path / "y.npy").unlink(missing_ok=True)
        assert re.search(named, refused("focusing", "--patterns", patterns, "--labels", save(tmp_path / "y.npy", labels)))


def test_samples_that_were_not_solved_keep_their_rows_and_give_status_3():
    document = answer("focusing", "--size", 51, "--alpha", 1.5, "--samples", 2, status=3)
    assert document["solved_fraction"] == 0
    for sample in document["samples"]:
        assert sample["solved"] is False
        assert sample["errors"] > 0
        assert "not solved" in sample["result"]
    document = answer("local-entropy", "--size", 51, "--alpha", 1.5, "--samples", 1, status=3)
    assert "not solved" in document["samples"][0]["rows"][0]["result"]
    assert document["rows"][0]["entropy"] is None
    assert document["rows"][0]["result"] == "1 of 1 samples did not converge"


def test_local_entropy_gives_rows_per_sample_and_their_average():
    document = answer("local-entropy", "--size", 1001, "--alpha", 0.4, "--samples", 2)
    first, second = document["samples"]
    assert set(first) > SAMPLE
    for averaged, *rows in zip(document["rows"], first["rows"], second["rows"], strict=True):
        assert averaged["result"] == rows[0]["result"] == "converged"
        assert averaged["samples"] == 2
        for name in ("distance", "entropy"):
            values = [row[name] for row in rows]
            assert averaged[name] == pytest.approx(np.mean(values))
            assert averaged[f"{name}_std"] == pytest.approx(np.std(values, ddof=1))
    distances = [row["distance"] for row in document["rows"]]
    assert distances == sorted(distances, reverse=True)
    assert document["rows"][0]["gamma"] == 0


def test_the_margin_of_local_entropy_is_that_of_the_solutions_found_and_counted():
    """A margin inside a step of the lattice changes nothing; a larger one leaves fewer solutions, found at that margin."""
    request = ("local-entropy", "--size", 501, "--alpha", 0.4, "--samples", 1)
    step = 2 / math.sqrt(501)  # sums of 501 signs are odd: the smallest that is positive is 1
    none, inside, wide = (answer(*request, "--margin", margin) for margin in (0.0, 0.49 * step, 0.3))
    assert [document["margin"] for document in (none, inside, wide)] == [0.0, 0.49 * step, 0.3]
    assert none["rows"] == inside["rows"]
    assert wide["samples"][0]["solved"]
    assert wide["samples"][0]["min_stability"] >= 0.3
    assert wide["rows"][0]["gamma"] == none["rows"][0]["gamma"] == 0  # no field: solutions at any distance
    assert 0 < wide["rows"][0]["entropy"] < none["rows"][0]["entropy"] - 0.05


def test_a_missing_library_for_the_file_is_named_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr("fmjax.cli.running.find_spec", lambda name: None if name == "h5netcdf" else object())
    message = refused("focusing", "--size", 11, "--alpha", 0.5, "--out", tmp_path / "x.nc")
    assert "pip install h5netcdf" in message


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["entropy", "--alpha", "0"], ["alpha"]),
        (["entropy", "--alpha", "-0.5"], ["alpha", "-0.5"]),
        (["threshold", "kappa-max", "--alpha", "0"], ["alpha"]),
        (["threshold", "kappa-min", "--alpha", "-1"], ["alpha", "-1"]),
        (["threshold", "kappa-u", "--alpha", "0"], ["alpha"]),
        (["franz-parisi", "--alpha", "0.5", "--reference-margin", "0.1", "--distance", "1.5"], ["distance", "1.5"]),
        (["franz-parisi", "--alpha", "0.5", "--reference-margin", "0.1", "--distance", "-0.1"], ["distance", "-0.1"]),
        (["franz-parisi", "--alpha", "0.5", "--reference-margin", "3", "--distance", "0.1"], ["kappa_max", "3"]),
    ],
    ids=" ".join,
)
def test_a_value_outside_the_theory_is_refused_by_name(arguments, named):
    message = refused(*arguments)
    assert all(name in message for name in named), message


def test_the_figures_of_the_command_are_those_of_the_package():
    from fmjax import reproduce
    from fmjax.cli.figures import Figure

    assert {name.value for name in Figure} == set(reproduce.figures)


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
