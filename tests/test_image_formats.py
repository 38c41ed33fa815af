"""Where images are looked for, and the formats in which they were published."""

import gzip

import numpy as np
import pytest

from fmjax.networks import data
from tests import image_files
from tests.image_files import write_mnist

images, root = image_files.images, image_files.root


# Where data are looked for --------------------------------------------------------------------------------------------


def test_the_variable_wins_over_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path / "mine"))
    assert data.directory() == tmp_path / "mine"
    monkeypatch.delenv("FMJAX_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data.directory() == tmp_path / "fmjax"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data.directory() == tmp_path / ".cache" / "fmjax"


# The formats ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pack", "suffix"), [(bytes, ""), (gzip.compress, ".gz"), (gzip.compress, "")])
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_idx_files_are_read_raw_or_packed(root, images, pack, suffix, split, prefix):
    write_mnist(root, *images, prefix=prefix, pack=pack, suffix=suffix)
    found, labels = data.load("mnist", split)
    np.testing.assert_array_equal(found, images[0].reshape(12, 784))
    np.testing.assert_array_equal(labels, images[1])


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-bin"])
def test_the_batches_of_cifar_are_read_in_order(root, folder):
    rng = np.random.default_rng(1)
    place = root / "cifar10" / folder
    place.mkdir(parents=True)
    records = rng.integers(256, size=(5, 4, 3073), dtype=np.uint8)
    records[:, :, 0] %= 10
    for index, batch in enumerate(records, start=1):
        (place / f"data_batch_{index}.bin").write_bytes(batch.tobytes())
    (place / "test_batch.bin").write_bytes(records[0, :2].tobytes())
    found, labels = data.load("cifar10")
    np.testing.assert_array_equal(found, records.reshape(20, 3073)[:, 1:])
    np.testing.assert_array_equal(labels, records.reshape(20, 3073)[:, 0])
    assert data.load("cifar10", "test")[0].shape == (2, 3072)


@pytest.mark.parametrize("folder", [".", "cifar10"])
def test_the_subset_of_cifar_is_read(root, folder):
    (root / folder).mkdir(exist_ok=True)
    pixels = np.random.default_rng(2).integers(256, size=(6, 3, 32, 32), dtype=np.uint8)
    labels = np.arange(6)
    np.savez(root / folder / "cifar10_subset.npz", x_train=pixels, y_train=labels, x_test=pixels[:1], y_test=labels[:1])
    found, classes = data.load("cifar10")
    np.testing.assert_array_equal(found, pixels.reshape(6, 3072))
    assert classes.tolist() == labels.tolist()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [("images", "labels"), ("images",), ("labels",)])
def test_names_with_a_dot_are_read(root, images, dotted, suffix):
    files = write_mnist(root, *images, pack=gzip.compress if suffix else bytes, suffix=suffix)
    for file in files:
        if any(kind in file.name for kind in dotted):
            file.rename(file.with_name(file.name.replace("-idx", ".idx")))
    found, labels = data.load("mnist")
    np.testing.assert_array_equal(found, images[0].reshape(12, 784))
    np.testing.assert_array_equal(labels, images[1])


@pytest.mark.parametrize("column", [False, True], ids=["row", "column"])
@pytest.mark.parametrize("pixel", ["uint8", "int64", "float32", ">f8", "share", "share16"])
def test_pixels_and_labels_of_the_subset_may_have_any_type(root, pixel, column):
    pixels = np.random.default_rng(2).integers(256, size=(6, 3, 32, 32), dtype=np.uint8)
    written = (pixels / 255).astype(np.float32) if pixel == "share" else (pixels / 255).astype(np.float16)
    if not pixel.startswith("share"):
        written = pixels.astype(pixel)
    labels = np.arange(6.0)[:, None] if column else np.arange(6)
    np.savez(root / "cifar10_subset.npz", x_train=written, y_train=labels)
    found, classes = data.load("cifar10")
    np.testing.assert_array_equal(found, pixels.reshape(6, 3072))
    assert classes.tolist() == list(range(6))


def test_digits_are_always_there_and_inputs_are_integers_over_a_power_of_two():
    task = data.load_task("digits")
    images, labels = data.load("digits")
    assert task.inputs.shape == images.shape == (1797, 64)
    assert task.inputs.dtype == np.float32
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    np.testing.assert_array_equal(task.inputs * 8, images.astype(int) - 5)  # mean 4.88, standard deviation 6.0
    assert task.outputs == 10


def test_odd_and_even_are_two_classes_with_one_output(root, images):
    write_mnist(root, *images)
    task = data.load_task("mnist-odd-even")
    assert task.outputs == 1
    assert task.labels.tolist() == [0, 1] * 6
    with pytest.raises(ValueError, match=r"task must be 'digits' or 'mnist' or .*, not 'cats'"):
        data.load_task("cats")
