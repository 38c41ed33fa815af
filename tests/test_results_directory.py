"""What a directory of results survives: interruptions, other settings, damaged and foreign files."""

import json
import os
import re

import pytest
import xarray as xr

import fmjax
from fmjax.reproduce import engine, franz_parisi, report, running
from fmjax.reproduce.directory import Directory, replacing
from fmjax.sweeps import blocks
from tests import small_figures
from tests.small_figures import ENDED, contents, loads, margins, measured

small = small_figures.small


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
    """Thresholds and figures are sweeps, whose finished blocks are not computed again."""
    computed, compute = [], blocks.compute

    def counted(plan, index):
        computed.append((plan.name, index))
        return compute(plan, index)

    def asking(quick, engine):
        engine.grid("first-moment", 1, alpha=[0.2, 0.4])
        return margins()

    def interrupt(quick, engine):
        raise KeyboardInterrupt

    monkeypatch.setattr(blocks, "compute", counted)
    monkeypatch.setattr(report, "measure_all", lambda engine: (engine.grid("capacity"), measured())[1])
    running.figures["2"].compute = asking
    whole = running.figures["4"].compute
    running.figures["4"].compute = interrupt
    with pytest.raises(KeyboardInterrupt):
        running.run(tmp_path, True)
    assert not (tmp_path / "report.html").exists()
    running.figures["4"].compute = whole
    assert running.run(tmp_path, True) is True
    assert (tmp_path / "report.html").exists()
    assert sorted(computed) == [("capacity", 0), ("first-moment", 0), ("first-moment", 1)]


def test_lost_pictures_are_drawn_again(small, tmp_path):
    running.make_figure("2", tmp_path, True)
    (tmp_path / "figure-2.png").write_bytes(b"")
    (tmp_path / "figure-2.pdf").unlink()
    running.make_figure("2", tmp_path, True)
    assert (tmp_path / "figure-2.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figure-2.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("again", [lambda out: running.run(out, False), lambda out: running.make_figure("3", out, False)])
def test_results_of_other_settings_are_left_alone(again, small, tmp_path):
    running.make_figure("2", tmp_path, True)
    before = contents(tmp_path)
    small.clear()
    with pytest.raises(ValueError, match=r"holds results of other settings \(quick grids"):
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
    "name",
    ["figure-2.nc", "figure-3.png", "figure-phase-diagram.pdf", "grids", "report.json", "report.html", "fmjax.json"],
)
def test_files_of_another_origin_are_left_alone(name, small, tmp_path):
    (tmp_path / name).write_text("[1, 2]")
    with pytest.raises(ValueError, match=re.escape(name)) as caught:
        running.run(tmp_path, True)
    assert "\n" not in str(caught.value)
    assert contents(tmp_path) == {name: b"[1, 2]"}
    assert small == []


def test_results_of_an_earlier_version_which_kept_no_record_are_left_alone(small, tmp_path):
    running.make_figure("2", tmp_path, True)
    (tmp_path / "fmjax.json").unlink()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"figure-2\.nc is there already, and no fmjax\.json says that it may be replaced"):
        running.make_figure("2", tmp_path, True)
    assert contents(tmp_path) == before


def test_a_figure_that_was_cut_off_is_made_again(small, tmp_path):
    running.run(tmp_path, True)
    path = tmp_path / "figure-3.nc"
    os.truncate(path, path.stat().st_size // 2)
    assert running.run(tmp_path, True) is True
    xr.testing.assert_equal(xr.load_dataset(path, engine="h5netcdf"), running.figures["3"].compute(True, engine.USUAL))


def test_a_record_that_was_cut_off_gives_nothing_away(small, tmp_path):
    running.run(tmp_path, True)
    record = tmp_path / "fmjax.json"
    os.truncate(record, record.stat().st_size // 2)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"fmjax\.json is damaged, or was not written by fmjax reproduce; choose another"):
        running.run(tmp_path, True)
    assert contents(tmp_path) == before


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


def test_two_writers_of_a_file_do_not_meet(tmp_path):
    path = tmp_path / "data.json"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert contents(tmp_path) == {"data.json": b"one"}


def test_only_settings_of_figures_that_both_know_can_differ(small, tmp_path, monkeypatch):
    running.make_figure("2", tmp_path, True)
    monkeypatch.delitem(running.figures, "one-step")
    assert running.make_figure("3", tmp_path, True) is True
    before = contents(tmp_path)
    running.figures["4"].settings = lambda quick: {"alpha": [0.1]}
    with pytest.raises(ValueError, match=r"holds results of other settings \(of figure 4\); choose another directory"):
        running.make_figure("2", tmp_path, True)
    assert contents(tmp_path) == before


def test_numbers_that_are_not_finite_become_null(tmp_path):
    directory = Directory(tmp_path, [], {"quick": True})
    directory.write_json("report.json", {"rows": {"a": {"value": float("nan")}, "b": [float("inf"), 1.0]}})
    assert json.loads((tmp_path / "report.json").read_text())["rows"] == {"a": {"value": None}, "b": [None, 1.0]}


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
