"""Files of images that are damaged or missing: one sentence names them and says what to do."""

import gzip

import numpy as np
import pytest

from fmjax.networks import data
from tests import image_files
from tests.image_files import write_mnist

images, root = image_files.images, image_files.root


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def damaged_file(damage, file):
    content = file.read_bytes()
    if damage == "bits":
        content = content[:200] + bytes([content[200] ^ 255]) + content[201:]
    file.write_bytes(
        {"cut": content[:-7], "empty": b"", "head": content[:6], "html": b"<html>not found</html>"}.get(damage, content)
    )


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("damage", ["cut", "empty", "head", "html"])
@pytest.mark.parametrize(("pack", "suffix"), [(bytes, ""), (gzip.compress, ".gz")])
def test_a_damaged_idx_file_is_named(root, images, damage, pack, suffix, kind):
    files = write_mnist(root, *images, pack=pack, suffix=suffix)
    damaged_file(damage, files[kind])
    with pytest.raises(ValueError, match="fmjax data fetch mnist") as error:
        data.load("mnist")
    assert one_sentence(error).startswith(str(files[kind]))


def test_wrong_bits_in_a_packed_file_are_noticed(root, images):
    files = write_mnist(root, *images, pack=gzip.compress, suffix=".gz")
    damaged_file("bits", files[0])
    with pytest.raises(ValueError, match="cut off or damaged"):
        data.load("mnist")


@pytest.mark.parametrize(
    "labels", [np.arange(11) % 10, np.full(12, 10), np.zeros(0), np.zeros((12, 1))], ids=["few", "large", "none", "shape"]
)
def test_labels_that_do_not_fit_are_refused(root, images, labels):
    write_mnist(root, images[0], labels.astype(np.uint8))
    with pytest.raises(ValueError, match="fmjax data fetch mnist"):
        data.load("mnist")


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-bin"])
@pytest.mark.parametrize("size", [0, 3072, 3074])
def test_a_cut_batch_of_cifar_is_named(root, size, folder):
    (root / "cifar10" / folder).mkdir(parents=True)
    for index in range(1, 6):
        (root / "cifar10" / folder / f"data_batch_{index}.bin").write_bytes(bytes(3073 if index < 5 else size))
    with pytest.raises(ValueError, match=r"data_batch_5\.bin should hold records of 3073 bytes.*fmjax data fetch cifar10"):
        data.load("cifar10")


@pytest.mark.parametrize("folder", [".", "cifar10"])
@pytest.mark.parametrize("damage", ["cut", "empty", "html", "keys"])
def test_a_damaged_subset_is_named(root, damage, folder):
    file = root / folder / "cifar10_subset.npz"
    file.parent.mkdir(exist_ok=True)
    np.savez(file, x_train=np.zeros((2, 3, 32, 32), np.uint8), **({} if damage == "keys" else {"y_train": np.zeros(2)}))
    damaged_file(damage, file)
    with pytest.raises(ValueError, match=r"cifar10_subset\.npz is not a complete npz file.*fmjax data fetch cifar10"):
        data.load("cifar10")


@pytest.mark.parametrize(
    ("images", "labels", "named"),
    [
        (np.zeros((6, 9), np.uint8), np.full(6, 3.7), "labels y_train other than the whole numbers from 0 to 9"),
        (np.zeros((6, 9), np.uint8), np.full(6, 259), "float|int64 from 259 to 259"),
        (np.zeros((6, 9), np.uint8), np.full(6, -1), "from -1 to -1"),
        (np.zeros((6, 9), np.uint8), np.full(6, np.nan), "with NaN or infinity"),
        (np.zeros((6, 9), np.uint8), np.array(list("abcdef")), "of type <U1"),
        (np.zeros((6, 9), np.uint8), np.eye(6), r"no labels: y_train has shape \(6, 6\)"),
        (np.zeros((6, 9), np.uint8), np.zeros(5, int), "5 labels.* for 6 images"),
        (np.zeros((6, 9), np.uint8), np.array(3), r"no labels: y_train has shape \(\)"),
        (
            np.linspace(-2, 2, 54).reshape(6, 9),
            np.zeros(6, int),
            "from -2 to 2: pixels must be .* from 0 to 255, or .* 0 and 1",
        ),
        (np.full((6, 9), 300), np.zeros(6, int), "from 300 to 300: pixels"),
        (np.full((6, 9), np.nan), np.zeros(6, int), "with NaN or infinity: pixels"),
        (np.full((6, 9), 1j), np.zeros(6, int), "of type complex128: pixels"),
        (np.zeros(6, np.uint8), np.zeros(6, int), r"no images: x_train has shape \(6,\)"),
        (np.zeros((0, 9), np.uint8), np.zeros(0, int), r"no images: x_train has shape \(0, 9\)"),
    ],
)
def test_other_numbers_in_the_subset_are_refused_by_name(root, images, labels, named):
    np.savez(root / "cifar10_subset.npz", x_train=images, y_train=labels)
    with pytest.raises(ValueError, match=rf"cifar10_subset\.npz .*{named}.*fmjax data fetch cifar10") as error:
        data.load("cifar10")
    one_sentence(error)


def test_a_single_array_under_the_name_of_the_subset_is_refused(root):
    with (root / "cifar10_subset.npz").open("wb") as file:
        np.save(file, np.zeros((2, 3072), np.uint8))
    with pytest.raises(ValueError, match=r"not a complete npz file with x_train and y_train"):
        data.load("cifar10")


@pytest.mark.parametrize("shape", [(0, 28, 28), (12, 0, 28)])
def test_whole_files_without_images_are_refused(root, images, shape):
    write_mnist(root, np.zeros(shape, np.uint8), images[1][: shape[0]])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte is empty: .*fmjax data fetch mnist"):
        data.load("mnist")


def test_images_of_one_colour_teach_nothing(root, images):
    write_mnist(root, np.full((12, 28, 28), 7, np.uint8), images[1])
    with pytest.raises(ValueError, match=r"all pixels of mnist are 7, there is nothing to learn.*fmjax data fetch mnist"):
        data.load_task("mnist")


@pytest.mark.parametrize("lacking", [(3,), (2, 5)])
def test_missing_batches_are_named(root, lacking):
    (root / "cifar10").mkdir()
    for index in {1, 2, 3, 4, 5} - set(lacking):
        (root / "cifar10" / f"data_batch_{index}.bin").write_bytes(bytes(3073))
    named = " and ".join(f"data_batch_{index}.bin" for index in lacking)
    with pytest.raises(
        FileNotFoundError, match=rf"cifar10 is not complete, .*cifar10 lacks {named}: fetch it with"
    ) as error:
        data.load("cifar10")
    one_sentence(error)


def test_labels_without_images_are_not_all_of_mnist(root, images):
    write_mnist(root, *images)[0].unlink()
    with pytest.raises(FileNotFoundError, match="mnist is not complete, .* lacks train-images-idx3-ubyte: fetch it with"):
        data.load("mnist")


@pytest.mark.parametrize("folder", ["cifar10", "cifar10/cifar-10-batches-py", "cifar-10-batches-py"])
def test_the_python_version_of_cifar_is_recognised(root, folder):
    (root / folder).mkdir(parents=True)
    (root / folder / "data_batch_1").write_bytes(b"\x80\x02")
    with pytest.raises(
        FileNotFoundError, match="data_batch_1 is the Python version of CIFAR-10, and the binary one is read"
    ):
        data.load("cifar10")


def test_an_unknown_part_is_refused(without_type_checks):
    for call in ("load('mnist', 'validation')", "data.locate('cifar10', 'validation')"):
        message = without_type_checks(f"fmjax.networks.{call}")
        assert "split must be 'train' or 'test', not 'validation'" in message


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_a_missing_data_set_says_how_to_get_it(root, name):
    with pytest.raises(FileNotFoundError, match=rf"`fmjax data fetch {name}`.*FMJAX_DATA") as error:
        data.load(name)
    one_sentence(error)
