"""`fmjax networks`: what it prints and writes, and what it refuses."""

import json

import pytest
import xarray as xr
from typer.testing import CliRunner

from fmjax.cli import app

SHORT = ["networks", "--dataset", "digits", "--width", "9", "--depth", "1", "--seeds", "2", "--epochs", "3", "--batch", "10"]


def test_the_command_prints_json_and_writes_all_results(tmp_path):
    out = tmp_path / "digits.nc"
    result = CliRunner().invoke(app, [*SHORT, "--patterns", "30", "--patterns", "10", "--json", "--out", str(out)])
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["sizes"] == [64, 9, 10]
    assert [row["patterns"] for row in document["rows"]] == [10, 30]
    assert all(0 <= row["train_error"] <= 1 and 0 < row["overlap"] < 1 for row in document["rows"])
    assert 0 < document["random_overlap"] < 1
    with xr.open_dataset(out, engine="h5netcdf") as dataset:
        assert dataset.mean_overlap.to_numpy().tolist() == [row["overlap"] for row in document["rows"]]
        assert dataset.attrs["dataset"] == "digits"
        assert dataset.attrs["epochs"] == 3


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["networks", "--dataset", "cats"], ["cats", "digits"]),
        (["networks"], ["--dataset"]),
        (["networks", "--dataset", "mnist"], ["mnist", "fmjax data fetch mnist", "FMJAX_DATA"]),
        ([*SHORT, "--patterns", "0"], ["positive"]),
        ([*SHORT, "--patterns", "2000"], ["1797"]),
        ([*SHORT, "--width", "0"], ["--width"]),
        ([*SHORT, "--depth", "-1"], ["--depth"]),
        ([*SHORT, "--seeds", "1"], ["at least 2"]),
        ([*SHORT, "--learning-rate", "nan"], ["learning_rate", "nan"]),
    ],
    ids=lambda value: " ".join(value[-2:]),
)
def test_a_wrong_request_is_refused_with_one_message(arguments, named, monkeypatch, tmp_path):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, (result.stdout, result.exception)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    message = result.stderr[result.stderr.index("Error: ") :]
    assert all(name in message for name in named), message
