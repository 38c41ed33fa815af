"""What is in a store is not computed again; what is damaged, another's or unfinished is noticed."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import fmjax
from fmjax.sweeps import blocks, plan, store
from tests.small_sweep import REQUEST, files


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


def test_a_sweep_over_other_images_of_the_same_name_is_another_sweep(tmp_path, monkeypatch):
    request = {"quantity": "networks", "grid": {"dataset": "cifar10", "patterns": 5, "width": 3, "epochs": 1, "seed": 0}}
    out, draw = tmp_path / "networks.zarr", np.random.default_rng(0)
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        images, labels = draw.integers(0, 256, (20, 3, 32, 32), dtype=np.uint8), np.arange(20, dtype=np.uint8) % 10
        np.savez(tmp_path / name / "cifar10_subset.npz", x_train=images, y_train=labels)
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path / "one"))
    fmjax.sweep(request, out)
    before = files(out)
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path / "other"))
    with pytest.raises(ValueError, match=r'holds another sweep: data is \["cifar10 .*"\] there and \["cifar10 .*"\] here'):
        fmjax.sweep(request, out, resume=True)
    assert files(out) == before
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path / "one"))
    assert fmjax.sweep(request, out, resume=True).loss.size == 1
