"""Commands that make no sense: status 2, one message, nothing on standard output."""

import sys
from types import SimpleNamespace

import pytest

import fmjax
from tests import command_line
from tests.command_line import refused

no_theory = command_line.no_theory
REPLICAS = ["robust-ensemble", "--alpha", "0.5", "--replicas"]
SIGNS = ["--architecture", "committee", "--activation", "sign"]

SOFT = ["thermodynamics", "--alpha", "0.5"]
AROUND = ["franz-parisi", "--alpha", "0.5", "--distance", "0.1", "--reference-loss", "hinge"]

THEORY_COMMANDS = [
    ["entropy", "--alpha", "0.5"],
    [*SOFT, "--loss", "hinge", "--beta", "5"],
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
        (["threshold", "robust-capacity", "--replicas", "8", "--groups", "3"], ["3 groups of 8", "16"]),
        (["threshold", "robust-capacity", "--replicas", "inf", "--groups", "3"], ["replicas", "up to 16", "inf"]),
        (["threshold", "robust-capacity", "--replicas", "4", "--groups", "0"], ["groups", "from 1", "0"]),
        (["threshold", "spinodal"], ["--task teacher-student"]),
        (["threshold", "kappa-max", "--alpha", "0.5", "--weights", "spherical"], ["kappa-max", "--weights binary"]),
        (["robust-ensemble", "--alpha", "0.5", "--replicas", "4", "--overlap", "0.9", "--weights", "spherical"], ["binary"]),
        ([*REPLICAS, "many", "--centre", "free"], ["'many' is not a number", "inf, or typical"]),
        ([*REPLICAS, "typical", "--overlap", "0.9"], ["--replicas typical", "--centre free"]),
        ([*REPLICAS, "4", "--distance", "0.1"], ["--distance", "--centre free", "--overlap"]),
        ([*REPLICAS, "4", "--centre", "free", "--overlap", "0.9"], ["--overlap", "--distance"]),
        ([*REPLICAS, "4", "--centre", "free", "--distance", "0.5"], ["distance 0.5", "between 0 and 0.5", "0.05"]),
        ([*REPLICAS, "65", "--centre", "free", "--distance", "0.1"], ["up to 64", "65"]),
        ([*REPLICAS, "4", "--centre-margin", "0.1", "--overlap", "0.9"], ["--centre-margin", "--centre solution"]),
        ([*REPLICAS, "4", "--centre", "free", "--centre-margin", "0.1", "--distance", "0.1"], ["free centre", "solution"]),
        (
            [*REPLICAS, "inf", "--centre", "solution", "--distance", "0.1", *SIGNS],
            ["infinitely many replicas of units that jump", "try 64"],
        ),
        ([*REPLICAS, "4", "--centre", "free", "--distance", "0.1", "--task", "teacher-student"], ["--task storage"]),
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
        ([*SOFT, "--loss", "hinge", "--beta", "-1"], ["beta = -1", "not negative"]),
        ([*SOFT, "--loss", "square", "--beta", "5"], ["--loss", "square", "cross-entropy"]),
        ([*SOFT, "--beta", "5"], ["--loss"]),
        ([*SOFT, "--loss", "hinge"], ["--beta"]),
        ([*SOFT, "--loss", "hinge", "--beta", "5", "--sharpness", "2"], ["--sharpness", "cross-entropy", "hinge"]),
        ([*SOFT, "--loss", "hinge", "--beta", "5", "--constraint", "symmetric"], ["--constraint margin"]),
        ([*SOFT, "--loss", "hinge", "--beta", "5", "--task", "teacher-student"], ["--task storage"]),
        ([*AROUND, "--beta", "5", "--reference-margin", "0.1"], ["--reference-margin", "--reference-loss", "not both"]),
        ([*AROUND, "--beta", "-1"], ["beta = -1", "not negative"]),
        (AROUND, ["--reference-loss", "--beta"]),
        ([*AROUND, "--beta", "5", "--rsb", "1"], ["--rsb 1", "--reference-margin"]),
        ([*AROUND, "--beta", "5", "--task", "teacher-student"], ["--reference-loss", "--task storage"]),
        ([*AROUND[:5], "--reference-margin", "0.1", "--beta", "5"], ["--beta", "--reference-loss"]),
        (["threshold", "freezing", "--alpha", "0.5"], ["--loss"]),
        (["threshold", "freezing", "--alpha", "0.5", "--loss", "hinge", "--sharpness", "2"], ["--sharpness", "hinge"]),
        (["threshold", "freezing", "--alpha", "0.5", "--loss", "power", "--weights", "spherical"], ["--weights binary"]),
        (["threshold", "inverse-temperature", "--alpha", "0.5", "--loss", "hinge"], ["--energy"]),
        (["threshold", "capacity", "--alpha", "0.5"], ["--alpha"]),
        (["threshold", "kappa-max"], ["--alpha"]),
        (["threshold", "perfect-generalisation"], ["--task", "teacher-student"]),
        (["threshold", "alpha-c"], ["alpha-c"]),
        (["figure", "9", "--out", "somewhere"], ["9", "phase-diagram"]),
        (["figure", "2"], ["--out"]),
        (["figure", "2", "--out", ""], ["--out", "empty"]),
        (["reproduce", "--out", ""], ["--out", "empty"]),
        (["sweep", "any.toml", "--out", ""], ["--out", "empty"]),
        (["networks", "--dataset", "digits", "--checkpoints", ""], ["--checkpoints", "empty"]),
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
