"""Every document is printed in two forms, and the text says what JSON says."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fmjax.cli import app
from tests.command_line import FOCUSING

NETWORKS = ["--width", "9", "--patterns", "10", "--patterns", "20", "--seeds", "2", "--epochs", "2"]
LOAD = ["--alpha", "0.5"]


def leaves(command, path=()):
    below = getattr(command, "commands", {})
    return [leaf for name, one in below.items() for leaf in leaves(one, (*path, name))] if below else [" ".join(path)]


def compiled(*words):
    """Arguments of a command that compiles the theory."""
    return pytest.param([*words], marks=pytest.mark.slow, id=" ".join(words))


BOTH = [
    pytest.param(["entropy", "--alpha", "0.5"], id="entropy"),
    compiled("franz-parisi", "--alpha", "0.5", "--reference-margin", "0.2", "--distance", "0.1"),
    compiled("franz-parisi", "--alpha", "0.5", "--reference-margin", "0.2", "--distance", "0.1", "--rsb", "1"),
    compiled("franz-parisi", *LOAD, "--reference-loss", "temperature", "--beta", "5", "--distance", "0.1"),
    compiled("thermodynamics", *LOAD, "--loss", "temperature", "--beta", "5"),
    compiled("robust-ensemble", "--alpha", "0.5", "--replicas", "inf", "--overlap", "0.9"),
    compiled("robust-ensemble", "--centre", "free", "--alpha", "0.5", "--replicas", "inf", "--distance", "0.1"),
    compiled("robust-ensemble", "--centre", "solution", "--alpha", "0.6", "--replicas", "10", "--distance", "0.1"),
    compiled("robust-ensemble", "--centre", "solution", "--alpha", "0.6", "--replicas", "inf", "--distance", "0.1"),
    compiled("threshold", "capacity"),
    compiled("threshold", "one-step-capacity", "--weights", "spherical", "--margin", "-1"),
    compiled("threshold", "kappa-max", "--alpha", "0.5"),
    compiled("threshold", "kappa-min", "--alpha", "0.5"),
    compiled("threshold", "kappa-u", "--alpha", "0.5"),
    compiled("threshold", "alpha-u"),
    compiled("threshold", "robust-alpha-u"),
    compiled("threshold", "centred-alpha-u"),
    compiled("threshold", "centred-fold"),
    compiled("threshold", "robust-capacity", "--replicas", "4"),
    compiled("threshold", "robust-capacity", "--replicas", "4", "--groups", "3", "--constraint", "symmetric"),
    compiled("threshold", "perfect-generalisation", "--task", "teacher-student"),
    compiled("threshold", "spinodal", "--task", "teacher-student"),
    compiled("threshold", "inverse-temperature", *LOAD, "--loss", "temperature", "--energy", "0"),
    compiled("threshold", "freezing", "--alpha", "1.2", "--loss", "temperature"),
    pytest.param([*FOCUSING, "--samples", "2"], id="focusing"),
    pytest.param(["local-entropy", "--size", "101", "--alpha", "0.3", "--samples", "2"], id="local-entropy"),
    pytest.param(["networks", "--dataset", "digits", *NETWORKS], id="networks"),
    pytest.param(["sweep", "bound.toml", "--out", "bound.zarr", "--dry-run"], id="sweep --dry-run"),
    pytest.param(["sweep", "bound.toml", "--out", "bound.zarr"], id="sweep"),
    pytest.param(["data", "list"], id="data list"),
]
# These print no document: nothing, or lines of text.
ONE_FORM = {"figure", "reproduce", "data fetch", "data path"}


def test_every_command_that_prints_a_document_is_run_in_both_forms():
    import typer

    tried = {" ".join(one.values[0]) for one in BOTH}
    for command in leaves(typer.main.get_command(app)):
        assert (command in ONE_FORM) != any(line.startswith(command) for line in tried), command


@pytest.mark.parametrize("arguments", BOTH)
def test_text_says_what_json_says(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = []
    for form in ([], ["--json"]):
        (tmp_path / "bound.toml").write_text('quantity = "first-moment"\n[grid]\nalpha = "0.1:0.9:9"\n')
        given = [f"{len(texts)}.zarr" if word == "bound.zarr" else word for word in arguments]
        result = CliRunner().invoke(app, [*given, *form])
        assert result.exit_code in {0, 3}, (result.stderr, result.exception)
        texts.append(result.stdout)
    document = json.loads(texts[1])
    head, *tables = texts[0].rstrip("\n").split("\n\n")
    scalars = dict(line.split(maxsplit=1) for line in head.splitlines())
    rows = {
        name: value for name, value in document.items() if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    assert list(scalars) == [name for name in document if name not in rows]
    assert len(tables) == len(rows)
    for (name, table), text in zip(rows.items(), tables, strict=True):
        names, *lines = text.splitlines()
        assert len(lines) == len(table), name
        assert names.split() == [column for column, value in table[0].items() if not isinstance(value, list)]
    for name, value in scalars.items():
        if isinstance(document[name], float):
            np.testing.assert_allclose(float(value), document[name], rtol=1e-9, atol=1e-15)
        elif isinstance(document[name], list):
            assert value.split() == list(map(str, document[name]))
        elif name != "store":
            assert value == ("-" if document[name] is None else str(document[name]))
