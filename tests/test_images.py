"""Image data: the formats as they were published, what a damaged or missing file says, and downloads that go wrong."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from typer.testing import CliRunner

from fmjax.cli import app
from fmjax.networks import data


def idx(array):
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("FMJAX_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(12, 28, 28), dtype=np.uint8), (np.arange(12) % 10).astype(np.uint8)


def write_mnist(root, images, labels, name="mnist", prefix="train", pack=bytes, suffix=""):
    (root / name).mkdir(exist_ok=True)
    files = [root / name / f"{prefix}-{kind}-ubyte{suffix}" for kind in ("images-idx3", "labels-idx1")]
    for file, array in zip(files, (images, labels), strict=True):
        file.write_bytes(pack(idx(array)))
    return files


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


# What is damaged or missing says what to do ---------------------------------------------------------------------------


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


# Downloads ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server(monkeypatch):
    """A server on loopback with small files under the names of the originals; `cut` names one that breaks off."""
    rng = np.random.default_rng(3)
    pixels, labels = rng.integers(256, size=(40, 28, 28), dtype=np.uint8), (np.arange(40) % 10).astype(np.uint8)
    files = {
        f"{prefix}-{kind}-ubyte.gz": gzip.compress(idx(array))
        for prefix in ("train", "t10k")
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels))
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = 2 * 3073
            archive.addfile(member, io.BytesIO(bytes(2 * 3073)))
    files["cifar-10-binary.tar.gz"] = packed.getvalue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.removeprefix("/")
            asked.append(name)
            self.send_response(200 if name in files else 404)
            content = files.get(name, b"")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if name in cut else content)

        def log_message(self, *arguments):
            pass

    asked, cut = [], set()
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    for name in ("mnist", "fashion-mnist", "cifar10"):
        hashes = {file: f"md5:{hashlib.md5(files[file]).hexdigest()}" for file in data.SOURCES[name].hashes}
        monkeypatch.setitem(data.SOURCES, name, data.Source("http://127.0.0.1:1/", hashes))
    try:
        yield f"http://127.0.0.1:{running.server_port}", files, cut, asked
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


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
