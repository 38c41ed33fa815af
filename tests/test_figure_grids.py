"""Grids of figures are sweeps: what they ask for, and how they go on after an interruption."""

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import fmjax
from fmjax.reproduce import at_kappa_max, engine, running
from fmjax.reproduce.engine import along
from fmjax.sweeps import blocks, read
from fmjax.sweeps.store import Store
from tests import small_figures
from tests.small_figures import contents, margins

small = small_figures.small


@pytest.mark.parametrize(
    ("figure", "margin", "units", "inputs"),
    [(at_kappa_max.RELU, 0.5 / math.sqrt(50 * 21), 50, 21), (at_kappa_max.SIGN, 0.0, 9, 111)],
)
def test_committees_are_compared_with_the_theory_at_the_middle_of_their_lattice(figure, margin, units, inputs, monkeypatch):
    """Sums of ReLU units of an odd number of inputs are whole numbers, those of an odd number of signs are odd."""
    asked = {}

    class Silent(engine.Engine):
        def grid(self, quantity, block=None, **controls):
            asked[quantity, tuple(controls["alpha"])] = controls
            values = xr.Dataset(coords={"alpha": controls["alpha"], "distance": controls.get("distance", [0.1])})
            grid = ("alpha",) if quantity == "kappa-max" else ("alpha", "distance")
            shape = [values.sizes[name] for name in grid]
            numbers = ("entropy", "slope", "replicon", "residual", "error_estimate", "value")
            found = values.assign({name: (grid, np.full(shape, 0.3)) for name in numbers})
            return found.assign(result=(grid, np.full(shape, "converged", dtype=object)))

    def measure(engine, alpha, size, **asked):
        assert (asked["activation"], asked["units"], size) == (figure._model["activation"], units, inputs * units)
        return {"experiment_size": size}

    monkeypatch.setattr(at_kappa_max, "experiment_variables", measure)
    found = figure.compute(True, Silent())
    assert float(found.experiment_margin) == pytest.approx(margin, abs=1e-15)
    controls = asked["franz-parisi", (0.5,)]
    assert controls["margin"] == float(found.experiment_margin)
    np.testing.assert_array_equal(controls["reference_margin"]["values"], [0.3])
    assert found.experiment_entropy.shape == (1, found.sizes["experiment_distance"])
    assert found.sizes["alpha"] == len(figure.settings(True)["alpha"])


@pytest.fixture
def bound(monkeypatch):
    """A figure of two quick grids, which is stopped after so many blocks, and the blocks that were computed."""
    left, computed = [np.inf], []
    compute = blocks.compute

    def counted(plan, index):
        if len(computed) >= left[0]:
            raise KeyboardInterrupt
        computed.append((plan.name, index))
        return compute(plan, index)

    def figure(quick, engine):
        line = engine.grid("first-moment", 1, alpha=[0.2, 0.4, 0.6])
        found = engine.grid("first-moment", 1, alpha=[0.2, 0.4, 0.6], margin=along("alpha", 0.1 + line.entropy))
        return margins().assign(entropy=(("alpha", "fraction"), np.tile(found.entropy[:2].to_numpy()[:, None], 5)))

    monkeypatch.setattr(blocks, "compute", counted)
    monkeypatch.setitem(running.figures, "2", SimpleNamespace(**vars(running.figures["2"]) | {"compute": figure}))
    return left, computed


def test_a_figure_that_was_interrupted_goes_on_with_the_blocks_that_are_missing(bound, tmp_path):
    left, computed = bound
    left[0] = 4
    with pytest.raises(KeyboardInterrupt):
        running.make_figure("2", tmp_path, True)
    assert not (tmp_path / "figure-2.nc").exists()
    assert len(computed) == 4
    left[0] = np.inf
    assert running.make_figure("2", tmp_path, True) is True
    assert len(computed) == 6
    alone = running.figures["2"].compute(True, engine.USUAL)
    xr.testing.assert_equal(xr.load_dataset(tmp_path / "figure-2.nc", engine="h5netcdf"), alone)
    made = {path for path in contents(tmp_path) if not path.startswith("grids/")}
    assert made == {"fmjax.json", "figure-2.nc", "figure-2.png", "figure-2.pdf"}


def test_a_damaged_block_of_a_figure_that_was_interrupted_is_computed_again(bound, tmp_path, capsys):
    left, computed = bound
    left[0] = 5
    with pytest.raises(KeyboardInterrupt):
        running.make_figure("2", tmp_path, True)
    chunk, *_ = tmp_path.glob("grids/*/entropy/c/2")  # of the first grid; blocks of the second come in any order
    os.truncate(chunk, 5)
    left[0] = np.inf
    assert running.make_figure("2", tmp_path, True) is True
    assert "block 2 does not read back as it was written: it is computed again" in capsys.readouterr().err
    assert len(computed) == 7


@pytest.mark.parametrize("again", [lambda out: running.run(out, False), lambda out: running.make_figure("3", out, False)])
def test_unfinished_results_of_other_settings_are_left_alone(again, bound, tmp_path):
    left, _ = bound
    left[0] = 4
    with pytest.raises(KeyboardInterrupt):
        running.make_figure("2", tmp_path, True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"holds results of other settings \(quick grids.*choose another directory"):
        again(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_figure_whose_grids_workers_compute_is_written_as_without_them(bound, tmp_path):
    """While a client of dask is there, xarray would lock the file by it."""
    assert running.make_figure("2", tmp_path / "alone", True) is True
    assert running.make_figure("2", tmp_path / "workers", True, workers=1) is True
    datasets = [xr.load_dataset(tmp_path / way / "figure-2.nc", engine="h5netcdf") for way in ("alone", "workers")]
    xr.testing.assert_allclose(*datasets, rtol=1e-12)
    assert (tmp_path / "workers" / "figure-2.pdf").exists()


def test_a_store_that_cannot_be_used_is_named_with_the_way_out(tmp_path):
    kept = engine.Engine(tmp_path)
    kept.grid("first-moment", alpha=[0.2, 0.4])
    (store,) = tmp_path.iterdir()
    (store / "entropy" / "zarr.json").write_text("{")
    with pytest.raises(ValueError, match=rf"{store.name} cannot be used: remove it, and it is computed anew"):
        kept.grid("first-moment", alpha=[0.2, 0.4])


def test_who_asks_for_a_grid_that_another_run_computes_waits_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(engine, "_AGAIN", 0.05)
    kept, asked = engine.Engine(tmp_path), {"alpha": [0.2, 0.4]}
    kept.grid("first-moment", **asked)
    (path,) = tmp_path.iterdir()
    with ThreadPoolExecutor(1) as pool:
        with Store(path, read({"quantity": "first-moment", "grid": asked})).locked():
            waiting = pool.submit(kept.grid, "first-moment", **asked)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
        assert waiting.result(timeout=60).sizes["alpha"] == 2
    assert capsys.readouterr().err.count("is being computed by another run: waiting for that") == 1


def test_what_two_figures_ask_for_is_computed_once(tmp_path, monkeypatch):
    kept = engine.Engine(tmp_path)
    kept.grid("first-moment", alpha=[0.2, 0.4])
    monkeypatch.setattr(blocks, "compute", None)
    kept.grid("first-moment", alpha=np.array([0.2, 0.4]))
    assert len(list(tmp_path.iterdir())) == 1


def test_workers_compute_the_grids_of_a_figure(tmp_path):
    with fmjax.sweeps.connected(1, None) as client:
        found = engine.Engine(tmp_path, client).grid("entropy", 2, alpha=[0.2, 0.4, 0.6])
    alone = engine.USUAL.grid("entropy", 2, alpha=[0.2, 0.4, 0.6])
    np.testing.assert_allclose(found.entropy, alone.entropy, rtol=1e-12)
    assert set(found.result.to_numpy()) == {"converged"}


def test_workers_and_a_scheduler_exclude_each_other_before_anything_is_computed(small, tmp_path):
    for make in (running.run, lambda out, *rest, **who: running.make_figure("3", out, *rest, **who)):
        with pytest.raises(ValueError, match="either workers, of this machine, or a scheduler, not both"):
            make(tmp_path / "out", True, workers=2, scheduler="tcp://127.0.0.1:1")
    assert small == []
    assert not (tmp_path / "out").exists()


def test_every_load_has_the_curve_of_its_own_largest_margin():
    """Against the theory, one load at a time; the second has no largest margin."""
    grid = at_kappa_max.AtKappaMax("Perceptron", [0.5, 0.7])
    grid.settings = lambda quick: {"alpha": [0.5, 0.7], "distance": [0.01, 0.1]}

    class Lost(engine.Engine):
        def grid(self, quantity, *block, **controls):
            found = super().grid(quantity, *block, **controls)
            return found.assign(value=found.value.where(found.alpha < 0.6)) if quantity == "kappa-max" else found

    found = grid.compute(True, Lost())
    margin = float(fmjax.thresholds.kappa_max(fmjax.Perceptron(), 0.5).value)
    assert float(found.reference_margin[0]) == pytest.approx(margin, abs=1e-13)
    expected = fmjax.curve(fmjax.FranzParisi(fmjax.Perceptron(), margin), alpha=0.5, distance=np.array([0.01, 0.1]))
    for name, error in {"entropy": 1e-12, "slope": 1e-9, "replicon": 1e-7}.items():
        np.testing.assert_allclose(found[name][0], getattr(expected, name), atol=error)
    assert set(found.result[1].to_numpy()) == {"a control that runs along an axis has no value here"}
    assert np.isnan(found.entropy[1]).all()


def test_the_grids_are_coarser_when_asked():
    for name, module in running.figures.items():
        assert module.settings(True) != module.settings(False), name
        json.dumps(module.settings(False))
