"""The dataset of a sweep: its form, and numbers that are those of the package without sweeps."""

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
import xarray as xr

import fmjax
from fmjax.message_passing import Committee
from fmjax.message_passing.experiment import fields_around, instance_of, measure, measure_entropies
from fmjax.sweeps import blocks
from tests.small_sweep import REQUEST, tied


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


def test_instances_are_those_of_focusing(out):
    grid = {"size": [51, 75], "alpha": [0.3, 1.4], "seed": "3:5:3"}
    found = fmjax.sweep({"quantity": "focusing", "block": 2, "grid": grid}, out)
    for size, alpha, seed in [(51, 0.3, 4), (75, 1.4, 5)]:
        instance = fmjax.message_passing.Instance.random(jax.random.key(seed), size, alpha)
        expected = fmjax.message_passing.focusing(instance)
        row = found.sel(size=size, alpha=alpha, seed=seed)
        assert (int(row.errors), int(row.sweeps)) == (int(expected.errors), int(expected.sweeps))
        assert str(row.result.values) == expected.result


@pytest.mark.parametrize(
    ("grid", "committee"),
    [
        ({"size": 101, "alpha": 0.5}, None),
        ({"size": 189, "alpha": 0.4, "activation": "sign", "units": 9, "damping": 0.8}, Committee("sign", 9, tree=True)),
        ({"size": 101, "alpha": 0.9}, None),  # focusing finds nothing
    ],
)
def test_local_entropies_of_instances_are_those_of_the_experiment(grid, committee, out):
    gamma = fields_around(grid["size"], 4)
    found = fmjax.sweep({"quantity": "local-entropy", "grid": grid | {"seed": [0, 1], "gamma": gamma}}, out)
    options = {"committee": committee, "damping": grid.get("damping")}
    measured = measure_entropies(grid["size"], grid["alpha"], seeds=[0, 1], rows=4, **options)
    for name in ("distance", "entropy"):
        np.testing.assert_array_equal(found[name], measured[name])
    np.testing.assert_array_equal(found.result, measured.result)
    np.testing.assert_array_equal(found.errors[:, 0], measured.errors)
    assert set(measured.solved.to_numpy()) == {grid["alpha"] < 0.9}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"units": 7}, "units = 7 are those of a committee"),
        ({"units": 7, "activation": "sign"}, "shared evenly among 7 units"),
    ],
)
def test_units_that_instances_cannot_have_are_refused(asked, words, out):
    grid = {"size": 101, "alpha": 0.5, "seed": 0, "gamma": 0.5} | asked
    with pytest.raises(ValueError, match=words):
        fmjax.sweep({"quantity": "local-entropy", "grid": grid}, out)
    assert not out.exists()


def test_sizes_and_units_that_run_along_points_are_looked_at_together(out):
    along = {key: {"along": "point", "values": values} for key, values in (("size", [99, 100]), ("units", [9, 10]))}
    grid = {"alpha": 0.3, "seed": 0, "gamma": [0.0, 0.3], "activation": "sign"} | along
    found = fmjax.sweep({"quantity": "local-entropy", "grid": grid}, out)
    for place, (size, units) in enumerate([(99, 9), (100, 10)]):
        expected = measure(
            instance_of(0, size, 0.3, committee=Committee("sign", units, tree=True)), found.gamma.to_numpy(), None
        )
        np.testing.assert_array_equal(found.entropy[place], expected[1]["entropy"])


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


def test_networks_of_several_seeds_are_matched_and_disturbed(tmp_path):
    grid = {"patterns": 30, "width": 9, "depth": 1, "epochs": 40, "draws": 3}
    asked = grid | {"fraction": [0.0, 0.2], "seed": [3, 5, 6]}  # in any order
    found = fmjax.sweep({"quantity": "networks", "grid": asked}, tmp_path / "several.zarr")
    assert found.local_energy.dims == ("seed", "fraction")
    np.testing.assert_array_equal(found.result == "converged", found.train_error == 0)
    np.testing.assert_allclose(found.local_energy[:, 0], found.train_error[:, 0], atol=1e-7)
    assert float(found.local_energy[:, 1].min()) > 0.1
    alone = fmjax.sweep({"quantity": "networks", "grid": grid | {"fraction": 0.2, "seed": [5]}}, tmp_path / "one.zarr")
    assert float(alone.local_energy[0]) == pytest.approx(float(found.local_energy[1, 1]), abs=1e-6)
    assert float(alone.loss[0]) == pytest.approx(float(found.loss[1, 0]), rel=1e-3)
    assert np.isnan(alone.overlap[0])
    task = fmjax.networks.load_task("digits")
    chosen = np.random.default_rng(0).permutation(len(task.labels))[:30]
    config = fmjax.networks.Config((64, 9, 10), (30,), seeds=3, epochs=40)
    keys = jax.vmap(jax.random.key)(np.array([3, 5, 6]))
    trained = fmjax.networks.train(config, task.inputs[chosen], task.labels[chosen], keys)
    pairs = fmjax.networks.pair_overlaps([layer[0] for layer in trained.weights])
    assert float(found.overlap[:, 0].mean()) == pytest.approx(pairs.mean(), abs=1e-12)


def test_images_that_are_not_here_are_named_before_a_store_is_made(out, monkeypatch, tmp_path):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path))
    grid = {"dataset": "mnist-odd-even", "patterns": 30, "width": 9, "seed": 0}
    with pytest.raises(FileNotFoundError, match="mnist is not in .*fmjax data fetch mnist"):
        fmjax.sweep({"quantity": "networks", "grid": grid}, out)
    assert not out.exists()


def test_models_of_one_structure_share_a_program(tmp_path, monkeypatch):
    """Numbers of a kernel are data: another activation compiles nothing, and gives its own answer."""
    programs, compile_ = [], blocks._compile
    monkeypatch.setattr(blocks, "_compile", lambda *asked: programs.append(asked[0].name) or compile_(*asked))
    for activation in ("relu", "erf"):
        request = {"quantity": "entropy", "grid": {"alpha": 0.5, "architecture": "committee", "activation": activation}}
        found = fmjax.sweep(request, tmp_path / f"{activation}.zarr")
        point = fmjax.solve(fmjax.Equilibrium(fmjax.TreeCommittee(activation)), alpha=0.5)
        assert float(found.entropy) == pytest.approx(float(point.entropy), abs=1e-13)
    assert programs == ["entropy"]


def test_a_compilation_that_failed_is_tried_again(tmp_path, monkeypatch):
    compile_, request = blocks._compile, {"quantity": "first-moment", "grid": {"alpha": [0.2, 0.3], "margin": 0.77}}

    def fails(*asked):
        monkeypatch.setattr(blocks, "_compile", compile_)
        raise MemoryError("no room for a program")

    blocks.forget_programs()
    monkeypatch.setattr(blocks, "_compile", fails)
    with pytest.raises(MemoryError):
        fmjax.sweep(request, tmp_path / "out.zarr")
    assert set(fmjax.sweep(request, tmp_path / "out.zarr", resume=True).result.to_numpy()) == {"converged"}


def test_a_program_is_compiled_once_whoever_asks_and_others_do_not_wait_for_it(tmp_path, monkeypatch):
    compile_, begun, both = blocks._compile, [], threading.Barrier(2, timeout=60)

    def together(plan, *asked):
        begun.append(plan.fixed["architecture"])
        both.wait()  # two programs are being compiled at this moment
        return compile_(plan, *asked)

    blocks.forget_programs()
    monkeypatch.setattr(blocks, "_compile", together)
    with ThreadPoolExecutor(2) as pool:
        for activation, architecture in {"none": "perceptron", "relu": "committee"}.items():
            grid = {"alpha": [0.1, 0.2], "architecture": architecture, "activation": activation}
            pool.submit(fmjax.sweep, {"quantity": "entropy", "block": 1, "grid": grid}, tmp_path / activation)
    assert sorted(begun) == ["committee", "perceptron"]
