r"""Real images as training sets: where they are looked for, the original file formats, and the tasks made of them.

Images lie in the directory that the environment variable ``FMJAX_DATA`` names, or else in ``~/.cache/fmjax`` (below
``XDG_CACHE_HOME`` if that is set), in a folder of the name of the data set:

    mnist/, fashion-mnist/   train-images-idx3-ubyte and train-labels-idx1-ubyte, t10k-..., raw or with .gz, also with a dot
                             (train-images.idx3-ubyte)
    cifar10/                 data_batch_1.bin to data_batch_5.bin, test_batch.bin, perhaps in cifar-10-batches-bin/;
                             or cifar10_subset.npz, here or beside the folder: x_train (n, 3, 32, 32), bytes or shares of
                             1, y_train (n,) or (n, 1), ...
    digits                   1,797 images of 8×8, inside scikit-learn

A network receives :math:`x = (\mathrm{pixel} - m) / 2^k`, with m the mean grey level of all pixels of the training set,
rounded, and :math:`2^k` the power of two next to their standard deviation: inputs of order one, whose sums with weights ±1
are exact in float32.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from fmjax.checks import one_of
from fmjax.networks.formats import Images, Labels, Split, read_cifar, read_mnist, read_npz
from fmjax.progress import Loop

_IDX_PREFIX = {"train": "train", "test": "t10k"}
_CIFAR_BATCHES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
_SUBSET = "cifar10_subset.npz"
_GET = "fetch it with `fmjax data fetch {}`, or point FMJAX_DATA to a directory that has it"


@dataclass(frozen=True)
class Source:
    """Where the original files of a data set are published, and their hashes."""

    url: str
    hashes: dict[str, str]


# MD5, for these are the sums that the authors of the data sets publish; they guard against damage, not against malice.
SOURCES = {
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        {
            "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion-mnist": Source(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "cifar10": Source(
        "https://www.cs.toronto.edu/~kriz/", {"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"}
    ),
}
NAMES = ("digits", *SOURCES)
# Each task: its data set, and whether the classes are the labels or their parity.
TASKS = {name: (name, False) for name in NAMES} | {"mnist-odd-even": ("mnist", True)}


class Task(NamedTuple):
    """A training set as networks see it.

    Attributes:
        inputs: one row of pixels per image, float32, of order one.
        labels: class of each image, from 0; int32.
        outputs: outputs a network needs: 1 for two classes, else the number of classes.
    """

    inputs: Float[np.ndarray, "images pixels"]
    labels: Int[np.ndarray, " images"]
    outputs: int


def directory() -> Path:
    """Where data sets are looked for and fetched to."""
    if chosen := os.environ.get("FMJAX_DATA"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "fmjax"


def load(name: str, split: Split = "train") -> tuple[Images, Labels]:
    """Images and labels of a data set as they were published, one row of bytes per image.

    Args:
        name: digits, mnist, fashion-mnist or cifar10.
        split: which part; digits has only one, which is returned for both.

    Returns:
        Images, shape ``(images, pixels)``, grey levels or colours as bytes, and labels from 0 to 9, shape ``(images,)``.

    Raises:
        FileNotFoundError: the data set is not here; the message says how to get it.
        ValueError: the name or the split is unknown, or a file is damaged, or holds something else.

    Example:
        >>> from fmjax.networks import load
        >>> images, labels = load("digits")
        >>> images.shape, labels[:3]
        ((1797, 64), array([0, 1, 2], dtype=uint8))
    """
    one_of("name", name, ("digits", *SOURCES))
    one_of("split", split, ("train", "test"))
    if name == "digits":
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        return np.asarray(images, np.uint8), np.asarray(labels, np.uint8)
    files = locate(name, split)
    try:
        if files[0].suffix == ".npz":
            return read_npz(files[0], split)
        return read_cifar(files) if name == "cifar10" else read_mnist(*files)
    except ValueError as error:
        raise ValueError(f"{error}: {_anew(name)}") from None


def load_task(name: str) -> Task:
    """The training set of a task, pixels scaled as networks receive them.

    Args:
        name: one of `TASKS`: the ten classes of a data set, or ``mnist-odd-even``, the parity of its digits.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the data set is not here; the message says how to get it.
        ValueError: the name is unknown, or a file is damaged, or holds something else.
    """
    one_of("task", name, TASKS)
    source, parity = TASKS[name]
    images, labels = load(source)
    if images.min() == images.max():
        raise ValueError(f"all pixels of {source} are {images[0, 0]}, there is nothing to learn from them: {_anew(source)}")
    scale = 2.0 ** round(math.log2(images.std()))
    inputs = ((images.astype(np.int16) - round(images.mean())) / scale).astype(np.float32)
    classes = labels % 2 if parity else labels
    return Task(inputs, classes.astype(np.int32), 1 if parity else 10)


def locate(name: str, split: Split = "train") -> list[Path]:
    """The files of a data set: images and labels, or the batches of CIFAR-10.

    Raises:
        FileNotFoundError: one is missing; the message says how to get it.
        ValueError: the name, or the split, is unknown.
    """
    if name not in SOURCES:
        raise ValueError(f"there are no files of {name!r}; there are those of {', '.join(SOURCES)}")
    one_of("split", split, ("train", "test"))
    root = directory()
    sets = _cifar(root, split) if name == "cifar10" else [_mnist(root / name, split)]
    for files in sets:
        if all(path.exists() for path in files):
            return files
    raise FileNotFoundError(f"{_missing(name, root, sets)}: {_GET.format(name)}")


def _mnist(folder: Path, split: Split) -> list[Path]:
    """Images and labels, under the first of their names that is there: half of the mirrors write a dot."""
    files = []
    for kind in ("images-idx3", "labels-idx1"):
        written = [f"{_IDX_PREFIX[split]}-{spelt}-ubyte" for spelt in (kind, kind.replace("-", "."))]
        candidates = [folder / f"{name}{packed}" for name in written for packed in ("", ".gz")]
        files.append(next((path for path in candidates if path.exists()), candidates[0]))
    return files


def _cifar(root: Path, split: Split) -> list[list[Path]]:
    """The sets of files that may hold it."""
    folders = [root / "cifar10", root / "cifar10" / "cifar-10-batches-bin"]
    sets = [[folder / file for file in _CIFAR_BATCHES[split]] for folder in folders]
    return [*sets, [root / "cifar10" / _SUBSET], [root / _SUBSET]]


def _missing(name: str, root: Path, sets: list[list[Path]]) -> str:
    """What of a data set is not here: all, some of its files, or this version of it."""
    most = max(sets, key=lambda files: sum(path.exists() for path in files))
    lacking = [path.name for path in most if not path.exists()]
    if len(lacking) < len(most):
        return f"{name} is not complete, {most[0].parent} lacks {' and '.join(lacking)}"
    python = [root / folder / "data_batch_1" for folder in ("cifar10", "cifar10/cifar-10-batches-py", "cifar-10-batches-py")]
    if name == "cifar10" and (there := [path for path in python if path.exists()]):
        return f"{there[0]} is the Python version of CIFAR-10, and the binary one is read, {most[0].name}"
    return f"{name} is not in {root / name} ({most[0].name} and the others of that set)"


def fetch(name: str, mirror: str | None = None) -> list[Path]:
    """Download the original files of a data set to `directory`, check their hashes, unpack archives; with progress bars.

    Files that are there already, and whose hash is right, are not downloaded again. A file is complete or absent.

    Args:
        name: mnist, fashion-mnist or cifar10.
        mirror: address of a directory with the same files, instead of the published one.

    Returns:
        The files.

    Raises:
        ValueError: the name is unknown, or a file does not have its hash.
        OSError: a file could not be downloaded completely, or there is no place for it.
    """
    import pooch

    if name not in SOURCES:
        raise ValueError(f"nothing to fetch for {name!r}; what can be fetched: {', '.join(SOURCES)}")
    source = SOURCES[name]
    base = f"{mirror or source.url}".rstrip("/")
    target = directory() / name
    pooch.get_logger().setLevel("WARNING")  # what it does is shown here
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{target} cannot be made ({error.strerror}): point FMJAX_DATA to another directory") from None
    for file, known in source.hashes.items():
        archive = file.endswith(".tar.gz")
        try:
            with Loop(file, unit="B") as loop:
                pooch.retrieve(
                    f"{base}/{file}",
                    known,
                    fname=file,
                    path=target,
                    processor=pooch.Untar(extract_dir=".") if archive else None,
                    progressbar=loop,  # pyright: ignore[reportArgumentType]  (it may be any such object)
                )
        except ValueError:
            raise ValueError(
                f"{base}/{file} does not have the hash of the original, {known}, and was deleted: "
                "try again, or another --mirror"
            ) from None
        except OSError as error:
            raise OSError(f"{base}/{file} could not be downloaded ({error}): try again, or another --mirror") from None
    return locate(name)


def _anew(name: str) -> str:
    return f"delete it and {_GET.format(name)}"
