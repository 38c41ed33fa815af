"""Studies of a data set: threshold, overlaps and local energy with errors, and their figure."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from fmjax import networks
from fmjax.networks import study
from fmjax.reproduce import deep_networks
from fmjax.reproduce.engine import Engine
from fmjax.sweeps import blocks


def test_the_threshold_is_the_largest_number_learned_by_all():
    errors = np.zeros((4, 10))
    errors[2, 3] = 0.01
    assert networks.threshold(np.array([10, 20, 30, 40]), errors)[0] == 20
    assert networks.threshold(np.array([10, 20, 30, 40]), errors) == (20, 20, 40)
    errors[1] = 0.1
    assert networks.threshold(np.array([10, 20, 30, 40]), errors) == (10, 10, 10)
    errors[0] = 0.1
    assert np.isnan(networks.threshold(np.array([10, 20, 30, 40]), errors)).all()


def test_one_seed_in_ten_that_fails_is_missed_by_a_third_of_the_resamples():
    errors = np.zeros((1, 10))
    errors[0, 0] = 0.1
    value, low, high = networks.threshold(np.array([10]), errors)
    assert np.isnan(value)
    assert np.isnan(low)
    assert high == 10  # (9/10)^10 = 0.35 of the resamples


SMALL = networks.Study(
    "digits", (31,), (10, 20, 500), seeds=3, epochs=60, batch=10, fractions=(0.0, 0.01, 0.02, 0.05, 0.5), draws=2
)


@pytest.fixture(scope="module")
def small():
    return networks.run(SMALL)


def test_a_study_holds_everything_with_errors(small):
    assert small.train_error.dims == ("patterns", "seed")
    assert small.overlap.shape == (3, 3)
    assert float(small.mean_random_overlap) < float(small.mean_overlap[-1]) < 0.9
    assert float(small.mean_overlap_error.max()) < 0.1
    assert small.threshold.item() in {10, 20}
    assert small.local_energy_patterns.item() == small.threshold.item()
    assert float(abs(small.local_energy.sel(fraction=0)).max()) == 0
    assert small.part.to_numpy().tolist() == ["all", "layer 1", "layer 2"]
    assert np.isfinite(small.curvature_error).all()
    assert small.result.item() == "converged"
    xr.testing.assert_equal(small, networks.run(SMALL))


def test_a_threshold_outside_the_sweep_says_on_which_side():
    assert "above the sweep" in study.side_of(400.0, (20, 400))
    many = networks.run(dataclasses.replace(SMALL, patterns=(400,), epochs=1))
    assert "below the sweep" in many.result.item()
    assert np.isnan(many.threshold.item())
    assert many.local_energy_patterns.item() == 400


@pytest.mark.parametrize(("change", "named"), [({"seeds": 1}, "at least 2"), ({"patterns": (10, 5000)}, "1797")])
def test_a_study_that_makes_no_sense_is_refused(change, named):
    with pytest.raises(ValueError, match=named):
        networks.run(dataclasses.replace(SMALL, **change))


def test_the_name_of_a_data_set_is_no_study(without_type_checks):
    message = without_type_checks("fmjax.networks.run('digits')")
    assert "expected a study, and not 'digits': try fmjax.networks.STUDIES" in message


def test_the_usual_studies_are_the_data_sets_of_the_command():
    from fmjax.cli.networks import DataSet
    from fmjax.networks import data

    assert set(networks.STUDIES) == {name.value for name in DataSet} == set(data.TASKS)
    assert all(name == usual.dataset for name, usual in networks.STUDIES.items())


def test_the_networks_of_an_interrupted_figure_are_not_trained_again(monkeypatch, tmp_path):
    short = dataclasses.replace(SMALL, patterns=(10, 40), epochs=4)
    monkeypatch.setattr(deep_networks, "_studies", lambda quick: [short])
    trained, compute = [], blocks.compute

    def once(plan, index):
        if trained:
            raise KeyboardInterrupt
        trained.append(index)
        return compute(plan, index)

    monkeypatch.setattr(blocks, "compute", once)
    with pytest.raises(KeyboardInterrupt):
        deep_networks.compute(True, Engine(tmp_path))
    monkeypatch.setattr(blocks, "compute", lambda plan, index: trained.append(index) or compute(plan, index))
    found = deep_networks.compute(True, Engine(tmp_path))
    assert sorted(trained) == [0, 1]
    xr.testing.assert_identical(found, deep_networks.compute(True))


def test_the_figure_summarises_its_networks_as_a_study_does(monkeypatch):
    """The same summary of the same numbers: means, standard errors, jackknife, threshold and fit."""
    monkeypatch.setattr(deep_networks, "_studies", lambda quick: [SMALL])
    found = deep_networks.compute(True).isel(dataset=0)
    errors, energy = found.train_error.to_numpy(), found.local_energy.to_numpy()
    assert (float(found.threshold), float(found.threshold_low), float(found.threshold_high)) == networks.threshold(
        SMALL.patterns, errors
    )
    np.testing.assert_allclose(found.mean_train_error_error, errors.std(axis=1, ddof=1) / np.sqrt(3), rtol=1e-12)
    np.testing.assert_allclose(energy[..., 0], errors, atol=1e-7)
    at = SMALL.patterns.index(int(found.local_energy_patterns))
    slope = networks.shape_at_zero(SMALL.fractions, energy[at][:, None, :, None], 0.05)
    assert float(found.slope) == slope.slope[0]
    assert float(found.curvature_error) == slope.curvature_error[0]
    np.testing.assert_allclose(found.mean_local_energy, energy[at].mean(axis=0), rtol=1e-12)
    assert float(found.mean_random_overlap) < float(found.mean_overlap[-1]) < 0.9
    assert str(found.result.item()) == "converged"


def test_the_figure_has_a_panel_per_data_set_and_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path))
    missing = dataclasses.replace(SMALL, dataset="mnist")
    other = dataclasses.replace(SMALL, hidden=(9, 9), patterns=(10, 300))
    monkeypatch.setattr(deep_networks, "_studies", lambda quick: [missing, SMALL, other])
    dataset = deep_networks.compute(True)
    dataset.to_netcdf(tmp_path / "figure.nc", engine="h5netcdf")
    dataset = xr.load_dataset(tmp_path / "figure.nc", engine="h5netcdf")
    assert dataset.dataset.to_numpy().tolist() == ["mnist", "digits", "digits"]
    assert "fmjax data fetch mnist" in str(dataset.result[0].item())
    top, bottom = np.reshape(deep_networks.draw(dataset).axes, (2, 3))
    assert any("fmjax data fetch" in text.get_text().replace("\n", " ") for text in top[0].texts)
    for row in (top, bottom):
        assert [[len(bars.lines[0].get_xdata()) for bars in axes.containers] for axes in row] == [[], [3], [2]]
    assert all(len(axes.child_axes) == 1 for axes in top[1:])
