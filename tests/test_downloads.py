"""Downloads of images: what is fetched is kept whole or not at all; `fmjax data`."""

import gzip
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fmjax.cli import app
from fmjax.networks import data
from tests import image_files
from tests.image_files import idx

root, server = image_files.root, image_files.server


# Downloads ------------------------------------------------------------------------------------------------------------


def test_what_is_fetched_is_read_and_not_fetched_again(root, server):
    url, _, _, asked = server
    assert data.fetch("mnist", url) == data.locate("mnist")
    assert data.load("mnist")[0].shape == (40, 784)
    assert data.load("mnist", "test")[0].shape == (40, 784)
    assert len(asked) == 4
    data.fetch("mnist", f"{url}/")
    assert len(asked) == 4


def test_the_archive_of_cifar_is_unpacked(root, server):
    files = data.fetch("cifar10", server[0])
    assert len(files) == 5
    assert data.load("cifar10")[0].shape == (10, 3072)


def test_a_cut_connection_leaves_no_half_file_and_a_second_try_goes_on(root, server):
    url, _, cut, asked = server
    cut.add("t10k-images-idx3-ubyte.gz")
    with pytest.raises(OSError, match=r"t10k-images-idx3-ubyte\.gz could not be downloaded .*try again"):
        data.fetch("mnist", url)
    assert sorted(path.name for path in (root / "mnist").iterdir()) == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    cut.clear()
    asked.clear()
    data.fetch("mnist", url)
    assert asked == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


def test_a_file_with_a_wrong_hash_is_not_kept(root, server):
    url, files, _, _ = server
    files["train-images-idx3-ubyte.gz"] = gzip.compress(idx(np.zeros((40, 28, 28), np.uint8)))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz does not have the hash of the original.*--mirror"):
        data.fetch("mnist", url)
    assert not list((root / "mnist").iterdir())


def test_nothing_but_the_published_sets_is_fetched(root):
    with pytest.raises(ValueError, match="mnist, fashion-mnist, cifar10"):
        data.fetch("digits")


def test_a_file_in_place_of_the_directory_is_named(root, monkeypatch):
    (root / "occupied").write_text("something else")
    monkeypatch.setenv("FMJAX_DATA", str(root / "occupied"))
    with pytest.raises(OSError, match="occupied/mnist cannot be made .*: point FMJAX_DATA to another directory"):
        data.fetch("mnist")


# The command ----------------------------------------------------------------------------------------------------------


def test_the_command_lists_fetches_and_names_the_directory(root, server):
    run = CliRunner().invoke
    assert run(app, ["data", "path"]).stdout.strip() == str(root)
    listed = json.loads(run(app, ["data", "list", "--json"]).stdout)
    assert [(row["name"], row["here"]) for row in listed["rows"]] == [
        ("digits", True),
        *((name, False) for name in ("mnist", "fashion-mnist", "cifar10")),
    ]
    fetched = run(app, ["data", "fetch", "mnist", "--mirror", server[0]])
    assert fetched.exit_code == 0, fetched.stderr
    assert fetched.stdout.split() == [str(path) for path in data.locate("mnist")]
    assert json.loads(run(app, ["data", "list", "--json"]).stdout)["rows"][1]["here"] is True


@pytest.mark.parametrize("arguments", [["fetch", "mnist"], ["fetch", "cats"], ["fetch"]])
def test_a_fetch_that_fails_has_status_2_and_one_message(arguments, root, server):
    result = CliRunner().invoke(app, ["data", *arguments])  # no mirror: the address of this set does not answer
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("Error: ")
