"""`fmjax sweep`: the example of the README, its exit statuses, and what it refuses."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fmjax
from fmjax.cli import app

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
