"""Figures and report: what is drawn, what the report needs, what a directory of results survives."""

import json
import math
import os
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import fmjax
from fmjax.reproduce import (
    at_kappa_max,
    engine,
    entropy,
    franz_parisi,
    one_step,
    phase_diagram,
    report,
    running,
    typical_distance,
)
from fmjax.reproduce.directory import Directory, replacing
from fmjax.reproduce.engine import along
from fmjax.reproduce.plotting import binary_entropy
from fmjax.sentences import THEORY
from fmjax.solvers import outcome
from fmjax.sweeps import blocks
from tests.oracles import literature

ENDED = "the branch could not be followed to this distance: it ends, or turns, before it"

# Small datasets of the right form -------------------------------------------------------------------------------------


def margins(lost=()):
    alphas, fractions = np.array([0.3, 0.6]), np.linspace(0, 1, 5)
    largest = np.array([0.9, 0.4])
    results = np.full((2, 5), "converged", dtype=object)
    for place in lost:
        results[place] = ENDED
    grid = ("alpha", "fraction")
    margin = largest[:, None] * fractions
    return xr.Dataset(
        {
            "margin": (grid, margin),
            "distance": (grid, 0.4 - 0.2 * margin),
            "entropy": (grid, largest[:, None] - margin),
            "error_estimate": (grid, np.full((2, 5), 1e-12)),
            "result": (grid, results),
            "kappa_max": ("alpha", largest),
            "kappa_max_result": ("alpha", ["converged", "converged"]),
            "largest_margin": ("fine_alpha", [1.0, 0.5, 0.0]),
            "largest_margin_result": ("fine_alpha", ["converged"] * 3),
        },
        coords={"alpha": alphas, "fraction": fractions, "fine_alpha": [0.2, 0.5, 0.83]},
    )


def curves(dimension, names, lost=(), **coordinates):
    distances = np.geomspace(1e-3, 0.5, 9)
    size = len(names)
    results = np.full((size, 9), "converged", dtype=object)
    for place in lost:
        results[place] = ENDED
    grid = (dimension, "distance")
    values = np.linspace(0.5, 1, size)[:, None] * binary_entropy(distances)
    slope = np.linspace(0.5, 1, size)[:, None] * np.log((1 - distances) / distances)
    margin = (dimension, np.linspace(0, 0.4, size))
    return xr.Dataset(
        {
            "entropy": (grid, values),
            "slope": (grid, slope),
            "replicon": (grid, np.full((size, 9), 0.5)),
            "error_estimate": (grid, np.full((size, 9), 1e-12)),
            "result": (grid, results),
        },
        coords={dimension: names, "distance": distances, "reference_margin": margin, **coordinates},
    )


PHASES = ["isolated", "negative", "kappa_min", "not monotonic", "kappa_u", "monotonic", "kappa_max"]


def phases(lost=()):
    whole = curves("phase", PHASES, lost, alpha=0.5)
    near = whole.isel(phase=slice(1, None)).drop_vars("reference_margin").rename(phase="near_phase")
    near = near.rename(
        {name: f"near_{name}" for name in ("distance", "entropy", "slope", "error_estimate", "replicon", "result")}
    )
    return whole.merge(near, compat="override").assign(
        measured_result=(("sample", "field"), np.full((2, 3), "converged", dtype=object)),
        solved=("sample", [True, True]),
        experiment_size=501,
        experiment_units=1,
        **{f"mean_{name}": ("field", [0.3, 0.1, 0.015]) for name in ("distance", "entropy")},
        **{f"std_{name}": ("field", [0.02, 0.01, 0.001]) for name in ("distance", "entropy")},
    )


def loads(lost=()):
    return curves("alpha", [0.73, 0.76, 0.79], lost)


def tried():
    """Loads, and an experiment on committees at another one with its own curve."""
    whole = loads()
    own = whole.isel(alpha=[0]).rename(alpha="experiment").drop_vars("experiment")
    own = own.rename({name: f"experiment_{name}" for name in (*own.data_vars, "distance", "reference_margin")})
    points = phases()[["measured_result", "mean_distance", "mean_entropy", "std_distance", "std_entropy"]]
    about = {"experiment_alpha": 0.5, "experiment_size": 501, "experiment_units": 9}
    return whole.merge(own).merge(points.drop_vars(points.coords), compat="override").assign(about)


def diagram(**changes):
    data = {
        "kappa_max": ("fine_alpha", [1.2, 0.5, 0.05]),
        "kappa_max_result": ("fine_alpha", ["converged"] * 3),
        "kappa_min": ("alpha", [0.1, 0.2, np.nan]),
        "kappa_min_result": ("alpha", ["converged", "converged", ENDED]),
        "kappa_u": ("alpha", [0.2, 0.3, np.nan]),
        "kappa_u_result": ("alpha", ["converged", "converged", ENDED]),
        "alpha_u": 0.76,
        "alpha_u_error_estimate": 1e-12,
        "alpha_u_margin": 0.08,
        "alpha_u_result": "converged",
    }
    return xr.Dataset(data | changes, coords={"fine_alpha": [0.1, 0.5, 0.8], "alpha": [0.2, 0.5, 0.8]})


def broken(lost=()):
    """Three references, of which the first has no solutions at the first two distances."""
    distances = np.unique([0.02, 0.3, *(d for _, d in one_step._SHOWN)])
    shape, grid = (3, distances.size), ("reference", "distance")
    entropy = 0.5 * np.tile(binary_entropy(distances), (3, 1))
    entropy[0, :2] = -0.01
    results = np.full(shape, "converged", dtype=object)
    for place in lost:
        results[place] = ENDED
    overlap = np.linspace(0.9, 1 - 1e-7, 11)
    roots = np.full((*shape, 4), np.nan)
    roots[..., 0] = 0.95
    return xr.Dataset(
        {
            "entropy": (grid, entropy),
            "symmetric_entropy": (grid, entropy),
            "error_estimate": (grid, np.full(shape, 1e-10)),
            "solution_stable": ((*grid, "solution"), np.zeros((*shape, 4), dtype=bool)),
            "slope": (grid, 0.5 * np.tile(np.log((1 - distances) / distances), (3, 1))),
            "replicon": (grid, np.full(shape, 0.5)),
            "result": (grid, results),
            "potential_overlap": ((*grid, "scan"), np.broadcast_to(overlap, (*shape, 11))),
            "potential": ((*grid, "scan"), np.broadcast_to(-0.01 * (overlap - 0.9), (*shape, 11))),
            "solution_overlap": ((*grid, "solution"), roots),
            "solution_complexity": ((*grid, "solution"), 0.01 * roots),
            "centre_distance": ("point", np.linspace(0.01, 0.1, 5)),
            "robust_entropy": ("point", np.linspace(0.01, 0.1, 5)),
            "robust_result": ("point", ["converged"] * 5),
        },
        coords={"distance": distances, "reference_margin": ("reference", [0.0, 0.1, 0.2])},
    )


def lines(axes, at_least=3):
    """Data of the curves: not reference lines, not single markers."""
    drawn = [np.array(line.get_xydata()) for line in axes.lines if str(line.get_linestyle()) not in {":", "None"}]
    return [data for data in drawn if len(data) >= at_least]


# Drawing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [typical_distance, entropy])
def test_one_curve_per_load_and_each_ends_at_kappa_max(module):
    axes = module.draw(margins()).axes[0]
    drawn = lines(axes)
    assert len(drawn) == 2
    assert [data[-1, 0] for data in drawn] == [0.9, 0.4]
    ends = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert ends == [0.9, 0.4]


@pytest.mark.parametrize("module", [typical_distance, entropy])
def test_margins_that_did_not_converge_are_not_drawn(module):
    first, second = lines(module.draw(margins(lost=[(0, 2)])).axes[0])
    assert np.flatnonzero(np.isnan(first[:, 1])).tolist() == [2]
    assert np.isfinite(second).all()


def test_the_largest_margin_is_drawn_against_load():
    (data,) = lines(entropy.draw(margins()).axes[1])
    np.testing.assert_array_equal(data, [[0.2, 1.0], [0.5, 0.5], [0.83, 0.0]])


def test_one_curve_per_phase_below_the_binary_entropy():
    axes = franz_parisi.draw(phases()).axes[0]
    drawn = lines(axes)
    assert len(drawn) == len(PHASES)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sum("min" in label for label in labels) == sum("max" in label for label in labels) == 1
    assert any("binary" in label for label in labels)
    # Between computed points the computed slopes are used: here that is good to a percent of the largest value.
    np.testing.assert_allclose(drawn[-1][:, 1], binary_entropy(drawn[-1][:, 0]), atol=0.007)


def test_points_of_the_experiment_are_open_where_some_sample_did_not_converge():
    data = phases()
    data.measured_result[1, 2] = "the number of sweeps ran out"
    for axes in franz_parisi.draw(data).axes:
        closed, hollow = (bars.lines[0] for bars in axes.containers)
        assert closed.get_xdata().tolist() == [0.3, 0.1]
        assert hollow.get_xdata().tolist() == [0.015]
        assert (closed.get_markerfacecolor(), hollow.get_markerfacecolor()) == ("black", "white")
        assert "501" in axes.containers[0].get_label()


@pytest.mark.parametrize(
    ("lost", "hidden"), [([(1, 0), (1, 1)], (0.0, 2e-3)), ([(1, 4)], (0.012, 0.04)), ([(1, slice(None))], (0.0, 1.0))]
)
def test_curves_stop_where_the_branch_does(lost, hidden):
    whole, broken = lines(franz_parisi.draw(phases()).axes[0]), lines(franz_parisi.draw(phases(lost)).axes[0], 0)
    shown = [data[np.isfinite(data[:, 1]), 0] for data in broken if not (len(data) == 2 and np.ptp(data[:, 1]) == 0)]
    assert len(shown) == len(PHASES)
    assert not ((shown[1] > hidden[0]) & (shown[1] < hidden[1])).any()
    assert len(shown[0]) == len(whole[0])


def test_entropy_and_slope_at_kappa_max_have_the_same_curves():
    left, right = at_kappa_max.draw(loads(lost=[(2, 0)])).axes
    assert len(lines(left)) == len(lines(right)) == 3
    (inset,) = right.child_axes
    assert len(lines(inset)) == 3
    assert np.isnan(lines(right)[2][0, 1])
    assert np.isfinite(lines(right)[1]).all()


def test_what_was_found_on_committees_is_laid_over_the_curve_at_its_load():
    data = tried()
    data.measured_result[1, 2] = "the number of sweeps ran out"
    data.experiment_result[0, 0] = ENDED
    left, right, third = at_kappa_max.draw(data).axes
    assert len(lines(left)) == len(lines(right)) == 3
    (curve,) = lines(third)
    assert curve[0, 0] == data.experiment_distance[1]  # as the first point did not converge
    assert curve[-1, 1] == pytest.approx(float(data.experiment_entropy[0, -1]))
    closed, hollow = (bars.lines[0] for bars in third.containers)
    assert closed.get_ydata().tolist() == [0.3, 0.1]
    assert hollow.get_ydata().tolist() == [0.015]
    assert "$N=501$, $K=9$" in third.containers[0].get_label()


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

    def measure(alpha, size, committee, **_):
        assert (committee.tree, committee.units, size) == (True, units, inputs * units)
        return {"experiment_size": size}

    monkeypatch.setattr(at_kappa_max, "experiment_variables", measure)
    found = figure.compute(True, Silent())
    assert float(found.experiment_margin) == pytest.approx(margin, abs=1e-15)
    controls = asked["franz-parisi", (0.5,)]
    assert controls["margin"] == float(found.experiment_margin)
    np.testing.assert_array_equal(controls["reference_margin"]["values"], [0.3])
    assert found.experiment_entropy.shape == (1, found.sizes["experiment_distance"])
    assert found.sizes["alpha"] == len(figure.settings(True)["alpha"])


@pytest.mark.parametrize(("draw", "data"), [(franz_parisi.draw, phases), (at_kappa_max.draw, loads)])
def test_a_band_marks_where_the_replicon_is_negative(draw, data):
    unstable = data()
    unstable.replicon[1, 2:5] = -0.1
    unstable.result[1, 4] = ENDED
    for before, after in zip(draw(data()).axes, draw(unstable).axes, strict=True):
        bands = [line for line in after.lines if line.get_linewidth() > 3]
        assert not [line for line in before.lines if line.get_linewidth() > 3]
        (band,) = bands
        assert np.flatnonzero(np.isfinite(band.get_ydata())).tolist() == [2, 3]


def test_the_phase_diagram_shows_what_was_found():
    axes = phase_diagram.draw(diagram()).axes[0]
    by_label = {line.get_label(): np.array(line.get_xydata()) for line in axes.lines}
    assert by_label[r"$\kappa_{\min}$"].tolist() == [[0.2, 0.1], [0.5, 0.2]]
    assert by_label[r"$\kappa_u$"].tolist() == [[0.2, 0.2], [0.5, 0.3], [0.76, 0.08]]
    assert any("0.7600" in text.get_text() for text in axes.texts)


def test_beyond_the_end_of_kappa_min_the_local_entropy_is_negative_somewhere_at_any_margin():
    def shaded(data):
        (area,) = [area for area in phase_diagram.draw(data).axes[0].collections if "negative" in area.get_label()]
        return np.max(area.get_paths()[0].vertices[:, 0])

    met = diagram(kappa_min_result=("alpha", ["converged", "converged", THEORY[outcome.NO_CANDIDATE]]))
    assert shaded(met) == 0.8
    assert shaded(diagram()) == 0.5


def test_where_there_are_no_solutions_the_line_is_dotted():
    left, right = one_step.draw(broken()).axes[:2]
    solid = [line for line in left.lines if line.get_linestyle() == "-" and line.get_label().startswith(r"$\tilde")]
    assert len(solid) == 3
    assert [min(line.get_ydata()) > 0 for line in solid] == [True] * 3
    first, second = ([line.get_xdata()[0] for line in solid][i] for i in (0, 1))
    assert first > second  # the first two distances have no solid line
    assert len([line for line in right.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 11]) == 5


def test_potentials_that_did_not_converge_are_not_drawn():
    names = [line.get_label() for line in one_step.draw(broken(lost=[(2, 0)])).axes[1].lines]
    assert sum("d=" in name for name in names) == 4


def test_the_phase_diagram_does_without_what_was_not_found():
    nothing = ("alpha", [ENDED] * 3)
    lost = diagram(kappa_min_result=nothing, kappa_u_result=nothing, alpha_u_result=ENDED)
    axes = phase_diagram.draw(lost).axes[0]
    assert not any("alpha'_U" in text.get_text() for text in axes.texts)
    lost["kappa_max_result"] = ("fine_alpha", [ENDED] * 3)
    phase_diagram.draw(lost)


# The report -----------------------------------------------------------------------------------------------------------


def measured(**changes):
    values = {"capacity": 0.83307859973957923, "overlap at capacity": 0.563949080, "conjugate at capacity": 2.57635132}
    values |= {
        row.key: (row.literature.low + row.literature.high) / 2 if row.literature else 0.4
        for row in report.ROWS
        if row.key not in values
    }
    return {
        key: {"value": value, "error_estimate": 1e-12, "result": "converged"} for key, value in (values | changes).items()
    }


def test_the_table_compares_with_the_literature():
    lines = {row["quantity"]: row for row in report.table(measured(**{"capacity at 0.05": 0.9}))}
    assert lines["capacity"]["agreement"] == "yes"
    assert lines["capacity"]["printed"].startswith("0.8330785997")
    assert lines["overlap at capacity"]["agreement"] == lines["conjugate at capacity"]["agreement"] == "yes"
    assert lines["capacity at 0.05"]["agreement"] == "no"
    assert lines["kappa_max"]["agreement"] == "–"
    assert lines["alpha_u"]["literature"] == "about 0.76 (paper)"


def test_what_did_not_converge_is_a_row_with_its_reason():
    rows = measured() | {"alpha_u": {"value": None, "error_estimate": None, "result": ENDED}}
    row = {row["quantity"]: row for row in report.table(rows)}["alpha_u"]
    assert (row["printed"], row["agreement"], row["result"], row["converged"]) == ("–", "no value", ENDED, False)


def test_the_literature_of_the_report_is_that_of_the_tests():
    known = {row.key: row.literature for row in report.ROWS}
    for margin, enclosure in literature.CAPACITY_ENCLOSURES.items():
        assert known[f"capacity at {margin}"][:2] == (enclosure.low, enclosure.high)
    for key, published in {
        "capacity": literature.CAPACITY,
        "overlap at capacity": literature.CAPACITY_OVERLAP,
        "conjugate at capacity": literature.CAPACITY_CONJUGATE,
    }.items():
        assert known[key].low <= published.value <= known[key].high
        assert known[key].high - known[key].low < 1e-7


class Loads(HTMLParser):
    """Addresses that a browser would load by itself."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [
            value for name, value in attrs if name in {"src", "srcset", "data"} or (tag, name) == ("link", "href")
        ]


# Directories of results -----------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Figures that cost nothing, and the list of what was computed."""
    computed = []

    def module(name, dataset):
        def compute(quick, engine):
            list(engine.progress(range(2), name))
            computed.append(name)
            return dataset

        real = running.figures[name]
        return SimpleNamespace(
            settings=real.settings, compute=compute, draw=real.draw, TITLE=real.TITLE, CAPTION=real.CAPTION
        )

    data = {
        "2": margins(),
        "3": phases(lost=[(0, 0)]),
        "4": loads(),
        "5": margins(),
        "phase-diagram": diagram(),
        "one-step": broken(),
    }
    monkeypatch.setattr(running, "figures", {name: module(name, dataset) for name, dataset in data.items()})

    def measure(quantity):
        computed.append(quantity.key)
        return measured()[quantity.key]

    monkeypatch.setattr(report, "measure", measure)
    return computed


def contents(out):
    return {path.name: path.read_bytes() for path in out.rglob("*")}


def test_everything_is_made_once_and_the_report_stands_alone(small, tmp_path):
    out = tmp_path / "new" / "out"
    assert running.run(out, True) is True
    made = {f"figure-{name}.{suffix}" for name in running.figures for suffix in ("nc", "png", "pdf")}
    assert set(contents(out)) == made | {"thresholds.json", "report.html", "report.json"}

    html = (out / "report.html").read_text()
    found = Loads()
    found.feed(html)
    assert len(found.addresses) == len(running.figures)
    assert all(address.startswith("data:image/png;base64,") for address in found.addresses)
    assert not re.search(r"@import|url\(|<script", html)
    assert all(f"fmjax figure {name} --quick --out DIR" in html for name in running.figures)
    assert f"1 × {ENDED}" in html
    assert fmjax.__version__ in html

    document = json.loads((out / "report.json").read_text())
    assert [line["quantity"] for line in document["rows"]] == [row.key for row in report.ROWS]
    assert document["quick"] == 1
    assert all(f"{row['printed']}<" in html for row in document["rows"])
    verdicts = {row["place"]: row["verdict"] for row in document["statements"]}
    assert verdicts["Figure 2"] == "agrees"
    assert {verdicts[f"Figure {absent}"] for absent in (6, 7, 8)} == {"not in this run"}
    assert "figure 8 is not part of it" in html

    small.clear()
    assert running.run(out, True) is True
    assert small == []


def test_datasets_carry_their_provenance(small, tmp_path):
    assert running.make_figure("3", tmp_path, True) is True
    with xr.open_dataset(tmp_path / "figure-3.nc", engine="h5netcdf") as dataset:
        assert dataset.attrs["fmjax"] == fmjax.__version__
        assert dataset.attrs["quick"] == 1
        assert json.loads(dataset.attrs["settings"]) == franz_parisi.settings(True)
        assert dataset.attrs["command"] == "fmjax figure 3 --quick --out DIR"
        assert {"jax", "numpy", "fingerprint"} <= set(dataset.attrs)
        assert dataset.result.to_numpy()[0, :2].tolist() == [ENDED, "converged"]


def test_an_interrupted_run_goes_on_where_it_stopped(small, tmp_path, monkeypatch):
    def interrupt(quick, engine):
        raise KeyboardInterrupt

    whole = running.figures["4"].compute
    running.figures["4"].compute = interrupt
    with pytest.raises(KeyboardInterrupt):
        running.run(tmp_path, True)
    assert "2" in small
    assert "3" in small
    assert not (tmp_path / "report.html").exists()
    small.clear()
    running.figures["4"].compute = whole
    assert running.run(tmp_path, True) is True
    assert small == ["4", "5", "phase-diagram", "one-step"]


def test_thresholds_are_kept_one_by_one(small, tmp_path, monkeypatch):
    whole = report.measure

    def interrupt(quantity):
        if quantity.key == "kappa_u":
            raise KeyboardInterrupt
        return whole(quantity)

    monkeypatch.setattr(report, "measure", interrupt)
    with pytest.raises(KeyboardInterrupt):
        running.run(tmp_path, True)
    finished = list(small)
    assert finished[-1] == "kappa_min"
    monkeypatch.setattr(report, "measure", whole)
    running.run(tmp_path, True)
    assert not set(finished) & set(small[len(finished) :])


def test_a_lost_picture_is_drawn_from_its_dataset(small, tmp_path):
    running.make_figure("2", tmp_path, True)
    (tmp_path / "figure-2.png").write_bytes(b"")
    (tmp_path / "figure-2.pdf").unlink()
    running.make_figure("2", tmp_path, True)
    assert small == ["2"]
    assert (tmp_path / "figure-2.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figure-2.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("again", [lambda out: running.run(out, False), lambda out: running.make_figure("3", out, False)])
def test_results_of_other_settings_are_left_alone(again, small, tmp_path):
    running.make_figure("2", tmp_path, True)
    before = contents(tmp_path)
    small.clear()
    with pytest.raises(ValueError, match=r"figure-2\.nc holds results of other settings \(quick grids"):
        again(tmp_path)
    assert contents(tmp_path) == before
    assert small == []


def test_results_of_another_version_are_left_alone(small, tmp_path, monkeypatch):
    running.run(tmp_path, True)
    before = contents(tmp_path)
    monkeypatch.setattr(fmjax, "__version__", "999.0")
    with pytest.raises(ValueError, match=re.escape("fmjax 0.")):
        running.run(tmp_path, True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["figure-2.nc", "figure-3.png", "figure-phase-diagram.pdf", "thresholds.json", "report.json", "report.html"]
)
def test_files_of_another_origin_are_left_alone(name, small, tmp_path):
    (tmp_path / name).write_text("[1, 2]")
    with pytest.raises(ValueError, match=re.escape(name)) as caught:
        running.run(tmp_path, True)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {name: b"[1, 2]"}
    assert small == []


@pytest.mark.parametrize("left", [0.999, 0.5])
def test_a_figure_that_was_cut_off_is_made_again_with_its_pictures(left, small, tmp_path, capsys):
    running.run(tmp_path, True)
    whole = running.figures["3"].compute(True, engine.USUAL)
    path = tmp_path / "figure-3.nc"
    os.truncate(path, int(left * path.stat().st_size))
    (tmp_path / "figure-3.png").write_bytes(b"of what was lost")
    small.clear()
    assert running.run(tmp_path, True) is True
    assert small == ["3"]
    assert "figure-3.nc is damaged: it is computed again" in capsys.readouterr().err
    xr.testing.assert_equal(xr.load_dataset(path, engine="h5netcdf"), whole)
    assert (tmp_path / "figure-3.png").read_bytes().startswith(b"\x89PNG")


def test_thresholds_and_a_report_that_were_cut_off_are_made_again(small, tmp_path):
    running.run(tmp_path, True)
    for name in ("thresholds.json", "report.json"):
        os.truncate(tmp_path / name, (tmp_path / name).stat().st_size // 2)
    small.clear()
    assert running.run(tmp_path, True) is True
    assert small == [row.key for row in report.ROWS]
    assert json.loads((tmp_path / "report.json").read_text())["rows"]


@pytest.mark.parametrize(("name", "left"), [("figure-3.nc", 100), ("thresholds.json", 20)])
def test_what_was_cut_off_before_it_says_of_which_settings_it_is_is_left_alone(name, left, small, tmp_path):
    running.run(tmp_path, True)
    os.truncate(tmp_path / name, left)
    before = contents(tmp_path)
    named = rf"{name} holds something damaged, which does not say that it is of these settings: remove it, or choose another"
    with pytest.raises(ValueError, match=named):
        running.run(tmp_path, True)
    assert contents(tmp_path) == before


def test_what_was_cut_off_and_is_of_other_settings_is_left_alone(small, tmp_path):
    running.make_figure("3", tmp_path, True)
    path = tmp_path / "figure-3.nc"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ValueError, match=r"figure-3\.nc holds something damaged, which does not say that it is of these"):
        running.make_figure("3", tmp_path, False)


@pytest.mark.parametrize("make", [lambda out: running.run(out, True), lambda out: running.make_figure("3", out, True)])
def test_a_parent_that_is_a_file_is_named(make, small, tmp_path):
    parent = tmp_path / "notes.txt"
    parent.write_text("mine")
    for out in (parent, parent / "out", parent / "below" / "out"):
        with pytest.raises(ValueError, match=r"notes\.txt is a file, and --out needs a directory of that name"):
            make(out)
    assert small == []


def test_other_files_do_not_matter(small, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.html").write_text("")
    assert running.run(tmp_path, True) is True
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_is_complete_or_absent(tmp_path):
    path = tmp_path / "data.json"
    path.write_text("before")

    def stop_halfway():
        with replacing(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_halfway()
    assert contents(tmp_path) == {"data.json": b"before"}
    with replacing(path) as partial:
        partial.write_text("after")
    assert contents(tmp_path) == {"data.json": b"after"}


def test_numbers_that_are_not_finite_become_null(tmp_path):
    directory = Directory(tmp_path, [], {"quick": True})
    directory.write_json("thresholds.json", {"rows": {"a": {"value": float("nan")}, "b": [float("inf"), 1.0]}})
    assert directory.read_json("thresholds.json")["rows"] == {"a": {"value": None}, "b": [None, 1.0]}
    directory.check()


def test_a_branch_that_ends_is_an_answer_and_a_failure_is_not(small, tmp_path):
    assert running.make_figure("3", tmp_path, True) is True
    failed = loads()
    failed.result[0, 0] = "the number of Newton steps ran out"
    running.figures["4"].compute = lambda quick, engine: failed
    assert running.make_figure("4", tmp_path, True) is False
    assert running.run(tmp_path, True) is False


def test_an_unknown_figure_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="no figure '9'.*phase-diagram"):
        running.make_figure("9", tmp_path / "out", True)
    assert not (tmp_path / "out").exists()


# Grids, which are sweeps ----------------------------------------------------------------------------------------------


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
    assert set(contents(tmp_path)) == {"figure-2.nc", "figure-2.png", "figure-2.pdf"}


def test_a_damaged_block_of_a_figure_that_was_interrupted_is_computed_again(bound, tmp_path, capsys):
    left, computed = bound
    left[0] = 5
    with pytest.raises(KeyboardInterrupt):
        running.make_figure("2", tmp_path, True)
    (chunk,) = tmp_path.glob(".unfinished-*/*/entropy/c/2")
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
    with pytest.raises(
        ValueError, match=r"\.unfinished-.* holds unfinished results of other settings: remove it, or choose"
    ):
        again(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


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
