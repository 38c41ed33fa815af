"""`fmjax focusing` and `fmjax local-entropy`: samples, patterns of files, what is written."""

import math
import re

import jax
import numpy as np
import pytest
import xarray as xr

import fmjax
from tests.command_line import answer, refused

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
