r"""Real images as training sets: where they are looked for, the original file formats, and the tasks made of them.

Images lie in the directory that the environment variable ``FMJAX_DATA`` names, or else in ``~/.cache/fmjax`` (below
``XDG_CACHE_HOME`` if that is set), in a folder of the name of the data set:

    mnist/, fashion-mnist/   train-images-idx3-ubyte and train-labels-idx1-ubyte, t10k-..., raw or with .gz
    cifar10/                 data_batch_1.bin to data_batch_5.bin, test_batch.bin, perhaps in cifar-10-batches-bin/;
                             or cifar10_subset.npz, here or beside the folder: x_train (n, 3, 32, 32) uint8, y_train, ...
    digits                   1,797 images of 8×8, inside scikit-learn

A network receives :math:`x = (\mathrm{pixel} - m) / 2^k`, with m the mean grey level of all pixels of the training set,
rounded, and :math:`2^k` the power of two next to their standard deviation: inputs of order one, whose sums with weights ±1
are exact in float32.
"""

import gzip
import math
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

Split = Literal["train", "test"]

_IDX_PREFIX = {"train": "train", "test": "t10k"}
_CIFAR_BATCHES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
_CIFAR_RECORD = 1 + 3 * 32 * 32
_SUBSET = "cifar10_subset.npz"


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


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """Bytes in the idx format of MNIST, raw or gzipped.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions, each size in 4 bytes (big-endian), the data.

    Raises:
        ValueError: the file is cut off, damaged or of another format; the message says what to do.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _damaged(path, f"is cut off or damaged ({error})") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise _damaged(path, "is not an idx file of unsigned bytes")
    start = 4 + 4 * content[3]
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4"))
    if len(content) - start != math.prod(shape):
        raise _damaged(
            path, f"should hold {math.prod(shape)} bytes of data for shape {shape}, and holds {len(content) - start}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_cifar(path: Path) -> tuple[UInt8[np.ndarray, "images pixels"], UInt8[np.ndarray, " images"]]:
    """Images and labels in the binary format of CIFAR-10: records of a label and 3 × 32 × 32 bytes.

    Raises:
        ValueError: the file is cut off or of another format.
        OSError: it cannot be read.
    """
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % _CIFAR_RECORD:
        raise _damaged(path, f"should hold records of {_CIFAR_RECORD} bytes, and holds {content.size} bytes")
    records = content.reshape(-1, _CIFAR_RECORD)
    return records[:, 1:], records[:, 0]


def read_npz(path: Path, split: Split) -> tuple[UInt8[np.ndarray, "images pixels"], UInt8[np.ndarray, " images"]]:
    """Images and labels from the arrays ``x_train``, ``y_train`` (or ``..._test``) of an npz file.

    Raises:
        ValueError: the file is cut off, damaged, or lacks the arrays.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _damaged(path, f"is not a complete npz file with x_{split} and y_{split} ({error})") from None
    return images.reshape(len(images), -1).astype(np.uint8), labels.astype(np.uint8)


def load(name: str, split: Split = "train") -> tuple[UInt8[np.ndarray, "images pixels"], UInt8[np.ndarray, " images"]]:
    """Images and labels of a data set as they were published, one row of bytes per image.

    Args:
        name: digits, mnist, fashion-mnist or cifar10.
        split: which part; digits has only one, which is returned for both.

    Returns:
        Images, shape ``(images, pixels)``, grey levels or colours as bytes, and labels from 0 to 9, shape ``(images,)``.

    Raises:
        FileNotFoundError: the data set is not here; the message says how to get it.
        ValueError: the name is unknown, or a file is damaged.

    Example:
        >>> from fmjax.networks import load
        >>> images, labels = load("digits")
        >>> images.shape, labels[:3]
        ((1797, 64), array([0, 1, 2], dtype=uint8))
    """
    if name == "digits":
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        return np.asarray(images, np.uint8), np.asarray(labels, np.uint8)
    files = locate(name, split)
    if name == "cifar10" and files[0].name == _SUBSET:
        images, labels = read_npz(files[0], split)
    elif name == "cifar10":
        parts = [read_cifar(path) for path in files]
        images, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    else:
        images, labels = map(read_idx, files)
        if images.ndim < 2 or labels.ndim != 1:
            raise _damaged(files[0], "and its labels do not have the dimensions of images and labels")
        images = images.reshape(len(images), -1)
    if len(images) != len(labels) or not len(labels) or labels.max() > 9:
        raise _damaged(files[-1], f"holds {len(labels)} labels from 0 to 9 at best, for {len(images)} images")
    return images, labels


def load_task(name: str) -> Task:
    """The training set of a task, pixels scaled as networks receive them.

    Args:
        name: one of `TASKS`: the ten classes of a data set, or ``mnist-odd-even``, the parity of its digits.

    Returns:
        A `Task`.

    Raises:
        FileNotFoundError: the data set is not here; the message says how to get it.
        ValueError: the name is unknown, or a file is damaged.
    """
    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}; there are {', '.join(TASKS)}")
    source, parity = TASKS[name]
    images, labels = load(source)
    scale = 2.0 ** round(math.log2(images.std()))
    inputs = ((images.astype(np.int16) - round(images.mean())) / scale).astype(np.float32)
    classes = labels % 2 if parity else labels
    return Task(inputs, classes.astype(np.int32), 1 if parity else 10)


def locate(name: str, split: Split = "train") -> list[Path]:
    """The files of a data set: images and labels, or the batches of CIFAR-10.

    Raises:
        FileNotFoundError: one is missing; the message says how to get it.
        ValueError: the name is unknown.
    """
    if name not in SOURCES:
        raise ValueError(f"there are no files of {name!r}; there are those of {', '.join(SOURCES)}")
    root = directory()
    if name == "cifar10":
        wanted = _CIFAR_BATCHES[split]
        sets = [[root / name / folder / file for file in wanted] for folder in (".", "cifar-10-batches-bin")]
        sets += [[root / name / _SUBSET], [root / _SUBSET]]
    else:
        prefix = _IDX_PREFIX[split]
        wanted = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
        sets = [[path if (path := root / name / file).exists() else path.with_name(f"{file}.gz") for file in wanted]]
    for files in sets:
        if all(path.exists() for path in files):
            return files
    raise FileNotFoundError(
        f"{name} is not in {root / name} ({wanted[0]} and the others of that set): "
        f"fetch it with `fmjax data fetch {name}`, or point FMJAX_DATA to a directory that has it"
    )


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
        OSError: a file could not be downloaded completely.
    """
    import pooch

    if name not in SOURCES:
        raise ValueError(f"nothing to fetch for {name!r}; what can be fetched: {', '.join(SOURCES)}")
    source = SOURCES[name]
    base = f"{mirror or source.url}".rstrip("/")
    target = directory() / name
    for file, known in source.hashes.items():
        archive = file.endswith(".tar.gz")
        try:
            pooch.retrieve(
                f"{base}/{file}",
                known,
                fname=file,
                path=target,
                processor=pooch.Untar(extract_dir=".") if archive else None,
                progressbar=True,
            )
        except ValueError:
            raise ValueError(
                f"{base}/{file} does not have the hash of the original, {known}, and was deleted: "
                "try again, or another --mirror"
            ) from None
        except OSError as error:
            raise OSError(f"{base}/{file} could not be downloaded ({error}): try again, or another --mirror") from None
    return locate(name)


def _damaged(path: Path, what: str) -> ValueError:
    # The data set by the last part of the path that begins with its name: its folder, or cifar10_subset.npz itself.
    named = (name for part in reversed(path.parts) for name in SOURCES if part.startswith(name))
    return ValueError(
        f"{path} {what}: delete it and fetch it again with `fmjax data fetch {next(named, 'NAME')}`, "
        "or point FMJAX_DATA to a complete copy"
    )
