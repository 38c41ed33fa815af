"""Sweeps: what a request may hold, blocks and stores, and what is left of a store after every kind of accident."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app
from fmjax.sweeps import blocks, plan, store

REQUEST = {"quantity": "first-moment", "block": 6, "grid": {"alpha": "0.1:0.9:9", "margin": [0.0, 0.1, 0.3, 0.7]}}


def tied(margins, axis="alpha", alpha=(0.2, 0.5)):
    """A request with margins along an axis."""
    return {"quantity": "first-moment", "grid": {"alpha": alpha, "margin": {"along": axis, "values": margins}}}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "store.zarr"


def files(path):
    """Every chunk of a store but those of the wall times, which no two runs share."""
    found = {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return {name: content for name, content in found.items() if not name.startswith("block_seconds/c")}


# Requests -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({}, ["quantity", "franz-parisi"]),
        ({"quantity": "entropie"}, ["entropie", "entropy"]),
        ({"quantity": "entropy"}, ["alpha"]),
        ({"quantity": "entropy", "alpha": 0.5}, ["alpha", "[grid]"]),
        ({"quantity": "entropy", "grid": 3}, ["[grid]", "3"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "kappa": 0.1}}, ["kappa", "margin"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.0}}, ["alpha", "0", "above 0"]),
        ({"quantity": "entropy", "grid": {"alpha": True}}, ["alpha", "True"]),
        ({"quantity": "entropy", "grid": {"alpha": []}}, ["alpha", "[]"]),
        ({"quantity": "entropy", "grid": {"alpha": "0.1:0.9"}}, ["alpha", "START:STOP:COUNT"]),
        ({"quantity": "entropy", "grid": {"alpha": "0:0.9:4:log"}}, ["alpha", "log"]),
        ({"quantity": "entropy", "grid": {"alpha": "0.9:0.1:4"}}, ["alpha", "increase"]),
        ({"quantity": "entropy", "grid": {"alpha": [0.1, float("nan")]}}, ["alpha", "nan"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "weights": "ternary"}}, ["weights", "ternary", "binary"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "weights": ["binary", "binary"]}}, ["weights", "twice"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5}, "block": 0}, ["block", "0"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "architecture": "committee"}}, ["committee", "relu", "none"]),
        ({"quantity": "entropy", "grid": {"alpha": 0.5, "activation": "relu"}}, ["activation", "relu", "committee"]),
        (
            {"quantity": "entropy", "grid": {"alpha": 0.5, "task": "teacher-student", "constraint": "symmetric"}},
            ["teacher", "SymmetricMargin"],
        ),
        ({"quantity": "franz-parisi", "grid": {"alpha": 0.5}}, ["reference_margin", "distance"]),
        (
            {"quantity": "robust-ensemble", "grid": {"alpha": 0.5, "replicas": [3, 65], "distance": 0.1}},
            ["replicas", "65", "64", "inf"],
        ),
        (
            {
                "quantity": "robust-ensemble",
                "grid": {"alpha": 0.5, "replicas": math.inf, "distance": 0.1, "task": "teacher-student"},
            },
            ["infinitely many replicas of a teacher", "12"],
        ),
        (
            {
                "quantity": "clusters",
                "grid": {"alpha": 0.5, "reference_margin": 0, "distance": 0.1, "weights": "spherical"},
            },
            ["weights", "spherical", "binary"],
        ),
        ({"quantity": "spinodal", "grid": {"task": "storage"}}, ["task", "storage", "teacher-student"]),
        ({"quantity": "kappa-u", "grid": {"alpha": 0.5, "weights": "spherical"}}, ["weights", "spherical", "binary"]),
        ({"quantity": "robust-alpha-u", "grid": {"weights": "spherical"}}, ["weights", "spherical", "binary"]),
        ({"quantity": "robust-capacity", "grid": {}}, ["replicas"]),
        ({"quantity": "focusing", "grid": {"size": 10.5, "alpha": 0.5, "seed": 0}}, ["size", "10.5", "integer"]),
        ({"quantity": "entropy", "grid": {"alpha": [[0.1], [0.2, 0.3]]}}, ["alpha must be a number", "[[0.1], [0.2, 0.3]]"]),
        (tied([0.1, 0.2, 0.3]), ["margin has 3 values along 'alpha'", "2 are needed"]),
        (tied([]), ["margin must be a number, a list of numbers"]),
        (tied([0.1, math.inf]), ["margin", "inf", "finite"]),
        (tied([0.1, 0.2], axis="load"), ["margin cannot be given along 'load'", "'alpha' or 'point'"]),
        (tied([0.1, 0.2], alpha=0.5), ["margin cannot be given along 'alpha'", "along 'point'"]),
        (tied([0.1, 0.2], alpha={"along": "margin", "values": [0.1, 0.2]}), ["cannot be given along", "along 'point'"]),
        ({"quantity": "entropy", "grid": {"alpha": {"values": [0.1]}}}, ["alpha", "{along = AXIS, values = [...]}"]),
        (
            {"quantity": "entropy", "grid": {"alpha": 1, "weights": {"along": "alpha", "values": ["binary"]}}},
            ["weights", "numbers"],
        ),
        (
            {"quantity": "focusing", "grid": {"size": {"along": "point", "values": [11, None]}, "alpha": 0.5, "seed": 0}},
            ["size", "nan", "integer"],
        ),
        (
            {
                "quantity": "franz-parisi",
                "grid": {"alpha": [0.5], "reference_margin": 0, "distance": {"along": "alpha", "values": [0.1]}},
            },
            ["distance cannot be given along 'alpha'", "single numbers can"],
        ),
    ],
    ids=str,
)
def test_a_request_that_makes_no_sense_is_refused_by_name(request_, named, out):
    with pytest.raises(ValueError, match=r"\w") as refusal:
        fmjax.sweep(request_, out)
    assert all(name in str(refusal.value) for name in named), str(refusal.value)
    assert not out.exists()


def test_numbers_lists_and_spans_become_coordinates_in_the_order_asked():
    grid = {"distance": "1e-3:0.1:3:log", "reference-margin": [0.2], "alpha": 0.5}
    laid = plan.read({"quantity": "franz-parisi", "grid": grid})
    assert list(laid.axes) == ["reference_margin", "distance"]  # what runs along a curve comes last
    np.testing.assert_allclose(laid.axes["distance"], [1e-3, 1e-2, 1e-1])
    words = {
        "weights": "binary",
        "constraint": "margin",
        "architecture": "perceptron",
        "activation": "none",
        "task": "storage",
    }
    assert laid.fixed == {"alpha": 0.5, "margin": 0.0, **words}
    assert (laid.shape, laid.count, laid.points) == ((1, 3), 1, 3)


@pytest.mark.parametrize("points", [1, 2, 3, 5, 7, 20, 100])
def test_blocks_cover_the_grid_once_and_are_not_larger_than_asked(points):
    laid = plan.read(REQUEST | {"block": points})
    seen = np.zeros(laid.shape, int)
    for index in range(laid.count):
        seen[laid.region(index)] += 1
        _, columns, shape = laid.columns(index)
        assert columns["alpha"].size == np.prod(shape) <= points
        np.testing.assert_array_equal(columns["margin"].reshape(shape)[0], laid.axes["margin"][laid.region(index)[1]])
    assert (seen == 1).all()


def test_static_controls_have_blocks_of_their_own():
    laid = plan.read(
        {"quantity": "entropy", "block": 50, "grid": {"alpha": "0.1:0.9:4", "weights": ["binary", "spherical"]}}
    )
    assert laid.block == (4, 1)
    assert [laid.columns(index)[0]["weights"] for index in range(laid.count)] == ["binary", "spherical"]


@pytest.mark.parametrize("points", [1, 2, 3, 20])
def test_blocks_hold_what_runs_along_one_of_their_axes(points):
    sizes = {"along": "alpha", "values": [11, 51, 31]}
    grid = {"seed": "0:4:5", "alpha": [0.1, 0.3, 0.5], "size": sizes, "margin": {"along": "seed", "values": "0:0.4:5"}}
    laid = plan.read({"quantity": "focusing", "block": points, "grid": grid})
    met = []
    for index in range(laid.count):
        static, columns, shape = laid.columns(index)
        assert len(columns["seed"]) == np.prod(shape) <= points
        met += [(static["alpha"], static["size"], seed, static["margin"]) for seed in columns["seed"].tolist()]
    loads = {11: 0.1, 51: 0.3, 31: 0.5}
    assert sorted(met) == sorted(
        (loads[size], size, seed, pytest.approx(0.1 * seed)) for size in sizes["values"] for seed in range(5)
    )


# Results --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 2, 5])
def test_a_control_runs_along_the_axis_of_another_one_and_says_where_it_has_no_value(block, out):
    request_ = tied([0.3, math.nan, -0.1], alpha=[0.2, 0.4, 0.5]) | {"block": block}
    fmjax.sweep(request_, out)
    found = fmjax.sweep(request_, out, resume=True)
    assert found.entropy.dims == found.margin.dims == ("alpha",)
    np.testing.assert_array_equal(found.margin, [0.3, np.nan, -0.1])
    expected = np.log(2) + found.alpha * fmjax.special.log_H(found.margin.to_numpy())
    np.testing.assert_allclose(found.entropy, expected, rtol=1e-14)
    missing = "a control that runs along an axis has no value here"
    assert found.result.to_numpy().tolist() == ["converged", missing, "converged"]
    assert fmjax.sweeps.outcomes(found) == {"converged": 2, missing: 1}
    with pytest.raises(ValueError, match="another sweep.*margin"):
        fmjax.sweep(tied([0.3, 0.0, -0.1], alpha=[0.2, 0.4, 0.5]) | {"block": block}, out, resume=True)


def test_points_are_listed_one_by_one_in_any_order(out):
    alphas, margins = [0.5, 0.2, 0.5], np.array([0.1, 0.3, 0.0])
    grid = {"alpha": {"along": "point", "values": alphas}, "margin": {"along": "point", "values": margins}}
    found = fmjax.sweep({"quantity": "first-moment", "block": 2, "grid": grid}, out)
    assert found.entropy.dims == found.alpha.dims == ("point",)
    np.testing.assert_allclose(found.entropy, np.log(2) + np.array(alphas) * fmjax.special.log_H(margins), rtol=1e-14)
    assert float(fmjax.sweeps.interpolate(found, point=1).entropy) == float(found.entropy[1])
    with pytest.raises(ValueError, match=r"point = '0\.5' is not in the grid: it has 0, 1, 2"):
        fmjax.sweeps.interpolate(found, point=0.5)


def test_references_of_margins_that_are_not_known_have_no_curve_and_the_others_do(out):
    margins = {"along": "alpha", "values": [math.nan, 0.1]}
    grid = {"alpha": [0.4, 0.5], "reference-margin": margins, "distance": [0.01, 0.1]}
    found = fmjax.sweep({"quantity": "franz-parisi", "grid": grid}, out)
    expected = fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), 0.1), alpha=0.5, distance=np.array([0.01, 0.1]))
    np.testing.assert_allclose(found.entropy.sel(alpha=0.5), expected.entropy, atol=1e-12)
    assert np.isnan(found.entropy.sel(alpha=0.4)).all()
    assert set(found.result.sel(alpha=0.4).to_numpy()) == {"a control that runs along an axis has no value here"}


def test_the_dataset_has_coordinates_units_results_and_provenance(out):
    found = fmjax.sweep(REQUEST, out)
    assert found.entropy.dims == ("alpha", "margin")
    assert found.entropy.attrs["units"] == "nats per weight"
    alpha, margin = found.alpha.to_numpy()[:, None], found.margin.to_numpy()
    np.testing.assert_allclose(found.entropy, np.log(2) + alpha * fmjax.special.log_H(margin), rtol=1e-14)
    assert set(found.result.to_numpy().ravel()) == {"converged"}
    assert found.result.isel(alpha=[1, 2], margin=-1).to_numpy().tolist() == ["converged"] * 2
    assert json.loads(found.attrs["request"])["grid"] == REQUEST["grid"]
    assert {"jax", "numpy", "zarr", "python", "revision"} <= set(found.attrs)
    assert (found.block_seconds > 0).all()
    assert found.sizes["block"] == 9
    # The documented file format, without fmjax.
    raw = xr.open_zarr(out, chunks=None, consolidated=False)
    assert raw.result.attrs["sentences"][int(raw.result[0, 0])] == "converged"


def test_one_point_is_a_sweep(out):
    found = fmjax.sweep({"quantity": "first-moment", "grid": {"alpha": 0.5}}, out)
    assert found.entropy.shape == ()
    assert float(found.entropy) == pytest.approx(0.5 * np.log(2), rel=1e-14)
    assert (float(found.alpha), str(found.result.values)) == (0.5, "converged")


def test_points_are_those_of_solve(out):
    grid = {"alpha": [0.4, 0.7], "margin": [0.0, 0.2]}
    found = fmjax.sweep({"quantity": "entropy", "grid": grid}, out)
    for alpha in grid["alpha"]:
        point = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(margin=0.2)), alpha=alpha)
        row = found.sel(alpha=alpha, margin=0.2)
        assert float(row.entropy) == pytest.approx(float(point.entropy), abs=1e-14)
        assert float(row.overlap) == pytest.approx(float(point.order.q), abs=1e-13)
        assert str(row.result.values) == "converged"


@pytest.mark.slow
def test_architecture_and_task_are_those_of_the_models(out):
    grid = {"alpha": 0.9, "task": "teacher-student"}
    found = fmjax.sweep({"quantity": "entropy", "grid": grid}, out)
    point = fmjax.solve(fmjax.Equilibrium(fmjax.Perceptron(teacher=True)), alpha=0.9)
    assert float(found.entropy) == pytest.approx(float(point.entropy), abs=1e-13)
    assert float(found.teacher_overlap) == pytest.approx(float(found.overlap), abs=1e-9)  # Nishimori


@pytest.mark.slow
def test_curves_are_those_of_curve_and_references_that_do_not_exist_say_so(out):
    distance = [0.01, 0.1, 0.3]
    grid = {"alpha": 0.5, "reference_margin": [0.3, 0.9], "distance": distance}
    found = fmjax.sweep({"quantity": "franz-parisi", "grid": grid}, out)
    local = fmjax.FranzParisi(fmjax.Perceptron(margin=0.0), reference_margin=0.3)
    expected = fmjax.curve(local, alpha=0.5, distance=np.array(distance))
    row = found.sel(reference_margin=0.3)
    np.testing.assert_allclose(row.entropy, expected.entropy, atol=1e-12)
    np.testing.assert_allclose(row.slope, expected.slope, atol=1e-9)
    beyond = found.sel(reference_margin=0.9)  # kappa_max(0.5) = 0.418
    assert set(beyond.result.to_numpy()) == {"the reference has no solution at this alpha and margin"}
    assert np.isnan(beyond.entropy).all()


@pytest.mark.parametrize(("word", "number"), [("inf", math.inf), ([3, "inf"], [3, math.inf])])
def test_infinity_may_be_spelt_as_on_the_command_line(word, number):
    plans = [plan.read({"quantity": "robust-capacity", "grid": {"replicas": replicas}}) for replicas in (word, number)]
    values = [{**found.fixed, **{name: list(axis) for name, axis in found.axes.items()}}["replicas"] for found in plans]
    assert values[0] == values[1] == number
    with pytest.raises(ValueError, match="alpha = inf is not possible"):
        plan.read({"quantity": "entropy", "grid": {"alpha": "inf"}})


def test_replicas_are_those_of_the_robust_ensemble_also_infinitely_many(out):
    distance = [0.02, 0.1, 0.49]
    grid = {"alpha": 0.5, "replicas": [3, math.inf], "distance": distance}
    fmjax.sweep({"quantity": "robust-ensemble", "grid": grid}, out)
    found = fmjax.open(out)
    for replicas in (3.0, math.inf):
        ensemble = fmjax.RobustEnsemble(fmjax.Perceptron(), replicas)
        expected = fmjax.curve(ensemble, alpha=0.5, distance=np.array(distance))
        row = found.sel(replicas=replicas)
        np.testing.assert_allclose(row.entropy, np.where(expected.converged, expected.entropy, np.nan), atol=1e-13)
        np.testing.assert_array_equal(row.result, expected.result)
    assert list(row.result.to_numpy() == "converged") == [True, True, False]  # replicas attract each other, no further


def test_transitions_with_a_teacher_are_those_of_the_thresholds(out):
    for quantity in ("perfect-generalisation", "spinodal"):
        found = fmjax.sweep({"quantity": quantity, "grid": {}}, out.with_name(quantity))
        threshold = getattr(fmjax.thresholds, quantity.replace("-", "_"))(fmjax.Perceptron(teacher=True))
        assert float(found.value) == pytest.approx(float(threshold.value), rel=1e-13)


@pytest.mark.slow
def test_the_capacity_of_replicas_is_that_of_their_number(out):
    found = fmjax.sweep({"quantity": "robust-capacity", "grid": {"replicas": 4}}, out)
    threshold = fmjax.thresholds.robust_capacity(fmjax.Perceptron(), 4.0)
    assert float(found.value) == pytest.approx(float(threshold.value), rel=1e-12)
    assert float(found.distance) == pytest.approx(float(threshold.distance), rel=1e-6)


@pytest.mark.slow
def test_clusters_are_those_of_the_front_door(out):
    distance = np.array([0.01, 0.1])
    grid = {"alpha": 0.75, "reference_margin": [0.0, 0.5], "distance": distance}
    found = fmjax.sweep({"quantity": "clusters", "grid": grid}, out)
    local = fmjax.FranzParisi(fmjax.Perceptron(margin=0.0), reference_margin=0.0)
    expected = fmjax.clusters(local, alpha=0.75, distance=distance)
    row = found.sel(reference_margin=0.0)
    np.testing.assert_allclose(row.entropy, expected.entropy, atol=1e-12)
    np.testing.assert_allclose(row.symmetric_entropy, expected.symmetric.entropy, atol=1e-12)
    for code, phase in zip(row.phase.to_numpy(), expected.phase, strict=True):
        assert f"{code}: {phase}" in found.phase.long_name
    beyond = found.sel(reference_margin=0.5)  # kappa_max(0.75) = 0.08
    assert np.isnan(beyond.entropy).all()
    assert set(beyond.phase.to_numpy()) == {5}


def test_instances_are_those_of_focusing(out):
    grid = {"size": [51, 75], "alpha": [0.3, 1.4], "seed": "3:5:3"}
    found = fmjax.sweep({"quantity": "focusing", "block": 2, "grid": grid}, out)
    for size, alpha, seed in [(51, 0.3, 4), (75, 1.4, 5)]:
        instance = fmjax.message_passing.Instance.random(jax.random.key(seed), size, alpha)
        expected = fmjax.message_passing.focusing(instance)
        row = found.sel(size=size, alpha=alpha, seed=seed)
        assert (int(row.errors), int(row.sweeps)) == (int(expected.errors), int(expected.sweeps))
        assert str(row.result.values) == expected.result


def test_networks_are_those_of_train_and_patterns_that_there_are_not_say_so(out):
    grid = {"patterns": [40, 100_000], "width": 9, "depth": 1, "epochs": 3, "seed": 5}
    found = fmjax.sweep({"quantity": "networks", "grid": grid}, out)
    task = fmjax.networks.load_task("digits")
    chosen = np.random.default_rng(0).permutation(len(task.labels))[:40]
    config = fmjax.networks.Config((64, 9, 10), (40,), seeds=1, epochs=3)
    trained = fmjax.networks.train(config, task.inputs[chosen], task.labels[chosen], jax.random.key(5))
    assert float(found.train_error[0]) == pytest.approx(float(trained.error[0, 0]), rel=1e-6)
    assert float(found.loss[0]) == pytest.approx(float(trained.loss[-1, 0, 0]), rel=1e-6)
    assert np.isnan(found.loss[1])
    assert "fewer images than patterns" in str(found.result[1].values)


# Faults of a store ----------------------------------------------------------------------------------------------------


def counted(monkeypatch):
    """Numbers of the blocks that are computed from here on, in this process."""
    computed, compute = [], blocks.compute

    def count(laid, index):
        computed.append(index)
        return compute(laid, index)

    monkeypatch.setattr(blocks, "compute", count)
    return computed


def test_a_finished_store_is_not_computed_again_and_an_existing_one_is_refused(out, monkeypatch):
    fmjax.sweep(REQUEST, out)
    before = files(out)
    computed = counted(monkeypatch)
    with pytest.raises(ValueError, match="there already.*--resume"):
        fmjax.sweep(REQUEST, out)
    fmjax.sweep(REQUEST, out, resume=True)
    assert computed == []
    assert files(out) == before


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"grid": REQUEST["grid"] | {"alpha": "0.1:0.9:10"}}, ["grid.alpha", "0.1:0.9:9", "0.1:0.9:10"]),
        ({"quantity": "entropy"}, ["quantity", "first-moment", "entropy"]),
        ({"block": 7}, ["block", "6", "7"]),
        ({"grid": dict(reversed(REQUEST["grid"].items()))}, ["axes"]),
    ],
    ids=["alpha", "quantity", "block", "order"],
)
def test_a_store_of_another_request_is_refused_with_the_difference(change, named, out):
    fmjax.sweep(REQUEST, out)
    before = files(out)
    for resume in (True, False):  # what cannot be gone on with is not said to be
        with pytest.raises(ValueError, match="another sweep.*: choose another name") as refusal:
            fmjax.sweep(REQUEST | change, out, resume=resume)
        assert all(name in str(refusal.value) for name in named), str(refusal.value)
    assert files(out) == before


def test_a_store_of_an_earlier_fmjax_is_read_and_not_gone_on_with(out):
    fmjax.sweep(REQUEST, out)
    description = out / "zarr.json"
    description.write_text(description.read_text().replace("fmjax sweep 2", "fmjax sweep 1"))
    assert fmjax.sweeps.outcomes(fmjax.open(out)) == {"converged": 36}
    before = files(out)
    for resume in (True, False):
        with pytest.raises(ValueError, match="earlier fmjax.*read only, choose another name"):
            fmjax.sweep(REQUEST, out, resume=resume)
    assert files(out) == before


def test_a_directory_that_is_no_store_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not a store"):
        fmjax.sweep(REQUEST, tmp_path, resume=True)
    with pytest.raises(ValueError, match="not a store"):
        fmjax.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kind", ["directory", "empty directory", "file"])
def test_what_is_there_and_no_store_is_not_said_to_go_on(kind, tmp_path):
    out = tmp_path / "mine"
    out.write_text("mine") if kind == "file" else out.mkdir()
    if kind == "directory":
        (out / "notes.txt").write_text("mine")
    before = files(tmp_path)
    with pytest.raises(ValueError, match="mine is there already, and no store of fmjax sweep: choose another name"):
        fmjax.sweep(REQUEST, out)
    with pytest.raises(ValueError, match="mine is not a store that fmjax sweep wrote: choose another one"):
        fmjax.sweep(REQUEST, out, resume=True)
    assert files(tmp_path) == before


@pytest.mark.parametrize("resume", [False, True])
def test_a_parent_that_is_a_file_is_named(resume, tmp_path):
    parent = tmp_path / "notes.txt"
    parent.write_text("mine")
    for out in (parent / "a.zarr", parent / "below" / "a.zarr"):
        with pytest.raises(ValueError, match=r"notes\.txt is a file, and the store needs a directory"):
            fmjax.sweep(REQUEST, out, resume=resume)
        with pytest.raises(ValueError, match=r"notes\.txt is a file, and the store needs a directory"):
            fmjax.sweeps.estimate(REQUEST, out, resume=resume)
    assert parent.read_text() == "mine"


@pytest.mark.parametrize("name", ["entropy/zarr.json", "block_checksum/zarr.json"])
def test_a_store_whose_description_is_damaged_is_named(name, out):
    fmjax.sweep(REQUEST, out)
    os.truncate(out / name, 20)
    with pytest.raises(ValueError, match=r"is damaged, .*cannot be read .*: compute it anew under another name"):
        fmjax.sweep(REQUEST, out, resume=True)


def test_another_dataset_is_not_one_of_a_sweep():
    for call in (fmjax.sweeps.outcomes, fmjax.sweeps.interpolate):
        with pytest.raises(ValueError, match=r"no dataset of a sweep: open one with fmjax\.open"):
            call(xr.Dataset({"result": ("alpha", [0.0])}))


def damages():
    def cut(path):
        os.truncate(path, path.stat().st_size // 2)

    def empty(path):
        os.truncate(path, 0)

    def flip(path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    return [cut, empty, flip, Path.unlink]


@pytest.mark.parametrize("damage", damages(), ids=lambda function: function.__name__)
@pytest.mark.parametrize("chunk", ["entropy/c/1/0", "result/c/4/0", "block_checksum/c/5", "block_seconds/c/2", "alpha/c/0"])
def test_one_damaged_chunk_is_found_and_only_its_block_is_computed_again(damage, chunk, out, monkeypatch, capsys):
    fmjax.sweep(REQUEST, out)
    before = files(out)
    damage(out / chunk)
    computed = counted(monkeypatch)
    fmjax.sweep(REQUEST, out, resume=True)
    place = {"entropy/c/1/0": [1], "result/c/4/0": [4], "block_checksum/c/5": [5]}
    assert computed == place.get(chunk, []), computed
    assert files(out) == before
    assert ("computed again" in capsys.readouterr().err) == chunk.startswith(("entropy", "result"))


def test_a_damaged_chunk_is_not_read_as_if_nothing_had_happened(out):
    fmjax.sweep(REQUEST, out)
    os.truncate(out / "entropy/c/1/0", 20)
    with pytest.raises(ValueError, match="checksum"):
        fmjax.open(out).entropy.load()


def test_an_unfinished_store_can_be_read_and_says_what_is_missing(out):
    fmjax.sweep(REQUEST, out)
    laid = plan.read(REQUEST)
    store.Store(out, laid).forget(2)
    found = fmjax.open(out)
    missing = found.result.to_numpy() == "not computed yet"
    assert missing.sum() == missing[laid.region(2)].sum() > 0
    assert np.isnan(found.entropy.to_numpy()[missing]).all()


def test_a_write_that_fails_keeps_what_is_finished_and_names_the_way_on(out, monkeypatch):
    write = store.Store.write

    def full(self, index, *results):
        if index == 4:
            raise OSError(28, "No space left on device", "chunk")
        write(self, index, *results)

    with monkeypatch.context() as context:
        context.setattr(store.Store, "write", full)
        with pytest.raises(OSError, match="No space left.*--resume"):
            fmjax.sweep(REQUEST, out)
    finished = store.Store(out, plan.read(REQUEST)).finished()
    assert finished.any()
    assert not finished.all()
    computed = counted(monkeypatch)
    fmjax.sweep(REQUEST, out, resume=True)
    assert sorted(computed) == np.flatnonzero(~finished).tolist()


# Accidents of processes ------------------------------------------------------------------------------------------------

SLOW = Path(__file__).with_name("slow_sweep.py")
POINTS = 60
SLOW_REQUEST = {"quantity": "slow", "grid": {"x": f"0:{POINTS - 1}:{POINTS}"}}


class Accident:
    """Sweeps of a slow quantity in processes of their own, on one store, and what they began to compute."""

    def __init__(self, directory, uninterrupted=None):
        self.directory, self.out, self.log = directory, directory / "slow.zarr", directory / "log"
        self.uninterrupted = uninterrupted
        self.environment = os.environ | {
            "LOG": str(self.log),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": str(SLOW),
            "DASK_TEMPORARY_DIRECTORY": str(directory),
        }
        self.processes = []

    def start(self, *command, **environment):
        options = {"stderr": subprocess.PIPE, "text": True, "cwd": self.directory}
        self.processes.append(subprocess.Popen(command, env=self.environment | environment, **options))
        return self.processes[-1]

    def sweep(self, *options, **environment):
        command = [sys.executable, str(SLOW), json.dumps(SLOW_REQUEST), str(self.out), *options]
        return self.start(*command, **environment)

    def begun(self):
        """Points and processes that computed them, in the order of time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [tuple(map(int, line.split())) for line in lines]

    def finished(self):
        return len(list(self.out.glob("block_checksum/c/*")))

    def wait_for(self, blocks, process):
        deadline = time.monotonic() + 120
        while self.finished() < blocks:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, "nothing happens"
            time.sleep(0.005)

    def resume(self, *options):
        done = self.sweep("resume", *options)
        _, text = done.communicate(timeout=180)
        assert done.returncode == 0, text

    def assert_whole(self, twice):
        """Everything is there, as without the accident, and at most ``twice`` blocks were computed twice."""
        assert len(self.begun()) <= POINTS + twice, self.begun()
        assert files(self.out) == files(self.uninterrupted)
        np.testing.assert_array_equal(
            xr.open_zarr(self.out, chunks=None, consolidated=False).square, np.arange(POINTS) ** 2.0
        )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run = Accident(tmp_path_factory.mktemp("uninterrupted"))
    _, text = run.sweep().communicate(timeout=120)
    assert run.processes[0].returncode == 0, text
    return run.out


@pytest.fixture
def accident(tmp_path, uninterrupted):
    made = Accident(tmp_path, uninterrupted)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_killed_client_loses_no_more_than_the_blocks_in_flight(accident):
    moments = np.random.default_rng(0).integers(1, POINTS - 10, 2)
    for moment in sorted(moments):
        client = accident.sweep(*["resume"] * accident.out.exists())
        accident.wait_for(moment, client)
        client.kill()
        client.wait()
    kept = accident.finished()
    assert kept < POINTS
    accident.resume()
    accident.assert_whole(twice=len(moments) * len(os.sched_getaffinity(0)))
    assert not list(accident.out.rglob("*.partial"))


def test_a_killed_worker_and_then_its_client_lose_no_more_than_the_blocks_in_flight(accident):
    client = accident.sweep("workers=2")
    accident.wait_for(5, client)
    worker = next(process for _, process in accident.begun() if process != client.pid)
    os.kill(worker, signal.SIGKILL)
    accident.wait_for(25, client)  # the other goes on
    client.kill()
    client.wait()
    for process in {process for _, process in accident.begun()}:  # workers follow their client
        deadline = time.monotonic() + 60
        while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{process}").exists()
    accident.resume()
    accident.assert_whole(twice=3)


def test_a_killed_scheduler_is_said_to_be_lost_and_the_store_goes_on(accident):
    address = accident.directory / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    scheduler = accident.start(*dask, "--host", "127.0.0.1", "--scheduler-file", str(address))
    deadline = time.monotonic() + 120
    while not (address.exists() and address.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    where = json.loads(address.read_text())["address"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", where, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    accident.start(*worker)
    client = accident.sweep(f"scheduler={where}")
    accident.wait_for(5, client)
    scheduler.kill()
    _, text = client.communicate(timeout=120)
    assert client.returncode == 1
    assert "scheduler was lost" in text
    assert "--resume" in text
    assert accident.finished() < POINTS
    accident.processes[1].kill()
    accident.processes[1].wait()
    accident.resume()
    accident.assert_whole(twice=2)


def test_a_second_run_on_a_store_is_refused_while_the_first_one_lives(accident):
    first = accident.sweep(PAUSE="1")
    accident.wait_for(1, first)
    second = accident.sweep("resume")
    _, text = second.communicate(timeout=120)
    assert first.poll() is None
    assert second.returncode == 1
    assert "another run writes" in text
    first.kill()
    first.wait()
    accident.resume()
    accident.assert_whole(twice=len(os.sched_getaffinity(0)))


def test_a_full_disk_is_said_and_what_was_finished_is_kept(accident):
    disk = accident.directory / "disk"
    disk.mkdir()
    accident.out = disk / "slow.zarr"
    run = f"{sys.executable} {SLOW} '{json.dumps(SLOW_REQUEST)}' {accident.out}"
    steps = [
        f"mount -t tmpfs -o size=600k tmpfs {disk} || exit 77",
        f"{run}; test $? = 1 || exit 1",
        f"ls {accident.out}/block_checksum/c | wc -l > kept",
        f"mount -o remount,size=20m {disk} && {run} resume && cp -r {accident.out} saved",
    ]
    done = accident.start("unshare", "-rm", "sh", "-c", "\n".join(steps)) if shutil.which("unshare") else None
    _, text = done.communicate(timeout=240) if done else (None, "")
    if done is None or done.returncode == 77 or "unshare" in text:
        pytest.skip("no disk can be mounted here")
    assert done.returncode == 0, text
    assert "No space left on device" in text
    assert "--resume" in text
    assert 0 < int((accident.directory / "kept").read_text()) < POINTS
    accident.out = accident.directory / "saved"
    accident.assert_whole(twice=len(os.sched_getaffinity(0)))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_local_workers_share_the_cores_among_them_also_when_one_was_replaced():
    program = """if __name__ == "__main__":
    import json, os, time
    from fmjax.sweeps.run import connected
    def pid(dask_worker):
        return os.getpid()
    def cores(dask_worker):
        return sorted(os.sched_getaffinity(0)), "MALLOC_TRIM_THRESHOLD_" in os.environ
    with connected(2, None) as client:
        first = client.run(pid)
        os.kill(next(iter(first.values())), 9)
        while not (len(again := client.run(pid, on_error="ignore")) == 2 and set(again.values()) - set(first.values())):
            time.sleep(0.2)
        print(json.dumps(list(client.run(cores).values())))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    (first, trimmed), (second, _) = json.loads(done.stdout.splitlines()[-1])
    available = os.sched_getaffinity(0)
    assert not trimmed
    assert set(first) | set(second) == available
    assert len(available) == 1 or not set(first) & set(second)


_SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" {directory}/job
setsid sh {directory}/job > {directory}/job.log 2>&1 < /dev/null &
echo Submitted batch job $!
"""


def test_the_file_for_slurm_has_its_jobs_compute_a_sweep_and_ends_them(tmp_path):
    for name, text in {"sbatch": _SBATCH.format(directory=tmp_path), "scancel": "#!/bin/sh\nkill -- -$1\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    script, request_, out = tmp_path / "sweep_slurm.py", tmp_path / "request.toml", tmp_path / "out.zarr"
    original = (Path(__file__).parents[1] / "benchmarks" / "sweep_slurm.py").read_text()
    assert "maximum_jobs=100" in original
    script.write_text(original.replace("maximum_jobs=100", "maximum_jobs=1"))
    request_.write_text('quantity = "entropy"\nblock = 4\n[grid]\nalpha = "0.1:0.8:11"\n')
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, str(script), str(request_), str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{'converged': 11}"
    job = (tmp_path / "job").read_text()
    assert "#SBATCH" in job
    assert "dask_worker" in job
    assert "End worker" in (tmp_path / "job.log").read_text()  # it was cancelled
    assert (fmjax.open(out).result == "converged").all()


_DEVICES = """
import jax, json, sys, fmjax
assert jax.local_device_count() == 4
fmjax.sweep(json.loads(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.parametrize(
    "request_",
    [
        {"quantity": "entropy", "grid": {"alpha": "0.1:0.8:10"}},
        {"quantity": "kappa-max", "grid": {"alpha": "0.1:0.8:10"}},
        pytest.param(
            {
                "quantity": "franz-parisi",
                "grid": {"alpha": "0.2:0.6:5", "reference_margin": 0.2, "distance": [0.002, 0.03, 0.3]},
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda request: request["quantity"],
)
def test_four_devices_give_the_answers_of_one(request_, tmp_path):
    one = fmjax.sweep(request_, tmp_path / "one")
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", _DEVICES, json.dumps(request_), str(tmp_path / "four")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    four = fmjax.open(tmp_path / "four")
    assert (four.result == "converged").all()
    assert (four.result == one.result).all()
    # Newton stops where entropies are exact: they are stationary, order parameters are not. Entropies are sums of a few
    # thousand terms of order one, which round to about 1e-15 each, however small the sum.
    for name, digits in {"entropy": 1e-14, "slope": 1e-13, "value": 1e-14, "overlap": 1e-12}.items():
        if name in one:
            np.testing.assert_allclose(four[name], one[name], rtol=digits, atol=1e-14, err_msg=name)


# Queries --------------------------------------------------------------------------------------------------------------


def test_interpolation_is_linear_in_every_control_and_exact_on_the_grid(out):
    found = fmjax.sweep(REQUEST, out)
    between = fmjax.sweeps.interpolate(found, alpha=[0.1, 0.33, 0.9], margin=[0.05, 0.7])
    alpha, margin = np.array([0.1, 0.33, 0.9])[:, None], found.margin.to_numpy()
    log_h = np.interp([0.05, 0.7], margin, fmjax.special.log_H(margin))
    np.testing.assert_allclose(between.entropy, np.log(2) + alpha * log_h, rtol=1e-12)  # linear in alpha
    assert between.entropy.dims == ("alpha", "margin")
    np.testing.assert_array_equal(between.alpha, alpha[:, 0])


def test_nothing_is_interpolated_across_a_point_without_a_value(out):
    found = fmjax.sweep(REQUEST, out)
    store.Store(out, plan.read(REQUEST)).forget(2)  # alpha = 0.3, margins 0 to 0.7... of its block
    found = fmjax.open(out)
    alphas, margins = (
        values[part] for values, part in zip(plan.read(REQUEST).axes.values(), plan.read(REQUEST).region(2), strict=True)
    )
    with pytest.raises(ValueError, match="not computed yet") as refusal:
        fmjax.sweeps.interpolate(found, alpha=alphas[0] - 0.01, margin=margins[0])
    assert f"alpha = {alphas[0]}" in str(refusal.value)
    on_the_grid = fmjax.sweeps.interpolate(found, alpha=found.alpha.to_numpy()[1], margin=margins[0])
    assert np.isfinite(on_the_grid.entropy)


@pytest.mark.parametrize(
    ("at", "named"),
    [
        ({"alpha": 0.5}, ["margin"]),
        ({"alpha": 0.5, "margin": 0.1, "kappa": 1}, ["kappa"]),
        ({"alpha": 0.95, "margin": 0.1}, ["alpha", "0.95", "0.9"]),
        ({"alpha": float("nan"), "margin": 0.1}, ["alpha", "nan"]),
    ],
    ids=str,
)
def test_a_query_outside_the_grid_is_refused_by_name(at, named, out):
    found = fmjax.sweep(REQUEST, out)
    with pytest.raises(ValueError, match=r"\w") as refusal:
        fmjax.sweeps.interpolate(found, **at)
    assert all(name in str(refusal.value) for name in named), str(refusal.value)


# The command line and the README ----------------------------------------------------------------------------------------

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def command(*words):
    return CliRunner().invoke(app, ["sweep", *map(str, words)])


def test_the_example_of_the_readme_runs_is_resumed_and_read(tmp_path, monkeypatch):
    monkeypatch.setattr("fmjax.progress.EVERY", 0.05)  # instead of half a minute: it takes a few seconds
    request, out = tmp_path / "diagram.toml", tmp_path / "diagram.zarr"
    request.write_text(EXAMPLE)
    planned = command(request, "--out", out, "--dry-run", "--json")
    assert planned.exit_code == 0, planned.output
    plans = json.loads(planned.stdout)
    assert (plans["points"], plans["blocks_finished"]) == (45, 0)
    assert {"bytes", "seconds"} <= set(plans)
    assert not out.exists()
    done = command(request, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["converged"] == 45
    assert "entropy 0/45 points" in done.stderr  # lines of a log
    again = command(request, "--out", out)
    assert again.exit_code == 2
    assert "--resume" in again.stderr
    assert command(request, "--out", out, "--resume").exit_code == 0
    assert fmjax.open(out).entropy.sizes == {"alpha": 15, "margin": 3}


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    request = tmp_path / "marked.toml"
    request.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.encode())
    planned = command(request, "--out", tmp_path / "marked.zarr", "--dry-run", "--json")
    assert planned.exit_code == 0, planned.output
    assert json.loads(planned.stdout)["points"] == 45


def test_a_point_without_an_answer_keeps_its_row_and_exit_status_3(tmp_path):
    request = tmp_path / "hard.toml"
    request.write_text('quantity = "focusing"\n[grid]\nsize = 51\nalpha = 1.4\nseed = [0, 1]\n')
    done = command(request, "--out", tmp_path / "hard.zarr", "--json")
    assert done.exit_code == 3, done.output
    assert json.loads(done.stdout) == {
        "store": str(tmp_path / "hard.zarr"),
        "points": 2,
        "solved": 0,
        "not solved: the schedule ended before a solution was found": 2,
    }


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("quantity = ", [], "not TOML"),
        ('quantity = "entropy"\n[grid]\nalpha = -1', [], "alpha = -1 is not possible"),
        (EXAMPLE, ["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "not both"),
        (None, [], "No such file"),
    ],
    ids=["toml", "alpha", "both", "missing"],
)
def test_what_makes_no_sense_is_one_sentence_and_exit_status_2(text, options, named, tmp_path):
    request = tmp_path / "bad.toml"
    if text is not None:
        request.write_text(text)
    done = command(request, "--out", tmp_path / "bad.zarr", *options)
    assert done.exit_code == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "bad.zarr").exists()
