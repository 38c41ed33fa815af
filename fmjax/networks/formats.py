"""The files that images are published in, read as they are: idx of MNIST, binary batches of CIFAR-10, arrays of NumPy."""

import gzip
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

Split = Literal["train", "test"]
Images = UInt8[np.ndarray, "images pixels"]
Labels = UInt8[np.ndarray, " images"]

_RECORD = 1 + 3 * 32 * 32  # of CIFAR-10: a label and an image
_LAST = 9  # the largest label


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """Bytes in the idx format of MNIST, raw or gzipped.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions, each size in 4 bytes (big-endian), the data.

    Raises:
        ValueError: the file is cut off, damaged or of another format.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is cut off or damaged ({error})") from None
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise ValueError(f"{path} is not an idx file of unsigned bytes")
    start = 4 + 4 * content[3]
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], ">u4"))
    wanted, found = math.prod(shape), len(content) - start
    if found != wanted:
        raise ValueError(f"{path} should hold {wanted} bytes of data for shape {shape}, and holds {found}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_mnist(images: Path, labels: Path) -> tuple[Images, Labels]:
    """Images and labels from a pair of idx files.

    Raises:
        ValueError: one is cut off, damaged or of another format, is empty, or they do not belong together.
        OSError: one cannot be read.
    """
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.ndim < 2 or classes.ndim != 1:
        raise ValueError(f"{images} and its labels do not have the dimensions of images and labels")
    for path, numbers in ((images, pixels), (labels, classes)):
        if not numbers.size:
            raise ValueError(f"{path} is empty: its numbers have the shape {numbers.shape}")
    return _together(labels, pixels.reshape(len(pixels), -1), classes)


def read_cifar(paths: list[Path]) -> tuple[Images, Labels]:
    """Images and labels in the binary format of CIFAR-10, from all its batches: records of a label and 3 × 32 × 32 bytes.

    Raises:
        ValueError: a file is cut off or of another format.
        OSError: it cannot be read.
    """
    records = [_records(path) for path in paths]
    for path, batch in zip(paths, records, strict=True):
        _together(path, batch[:, 1:], batch[:, 0])
    whole = np.concatenate(records)
    return whole[:, 1:], whole[:, 0]


def _records(path: Path) -> UInt8[np.ndarray, "images bytes"]:
    content = np.fromfile(path, np.uint8)
    if content.size == 0 or content.size % _RECORD:
        raise ValueError(f"{path} should hold records of {_RECORD} bytes, and holds {content.size} bytes")
    return content.reshape(-1, _RECORD)


def read_npz(path: Path, split: Split) -> tuple[Images, Labels]:
    """Images and labels from the arrays ``x_train``, ``y_train`` (or ``..._test``) of an npz file.

    Pixels may be whole numbers from 0 to 255 of any type, or floats from 0 to 1; labels a column, as Keras has them.

    Raises:
        ValueError: the file is cut off, damaged, lacks the arrays, or holds other numbers.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a complete npz file with x_{split} and y_{split} ({error})") from None
    if images.ndim < 2 or not images.size:
        raise ValueError(f"{path} holds no images: x_{split} has shape {images.shape}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(f"{path} holds no labels: y_{split} has shape {labels.shape}")
    if not _are_whole(labels, _LAST):
        raise ValueError(f"{path} holds labels y_{split} other than the whole numbers from 0 to {_LAST}: {_range(labels)}")
    pixels = _bytes(images)
    if pixels is None:
        asked = "pixels must be whole numbers from 0 to 255, or lie between 0 and 1"
        raise ValueError(f"{path} holds images x_{split} of other numbers, {_range(images)}: {asked}")
    return _together(path, pixels.reshape(len(pixels), -1), labels.astype(np.uint8))


def _bytes(images: np.ndarray) -> UInt8[np.ndarray, "..."] | None:
    """Pixels as bytes: whole numbers as they are, floats from 0 to 1 as shares of 255."""
    shares = images.dtype.kind in "bf" and bool(np.all((images >= 0) & (images <= 1)))
    if shares:
        return np.rint(255 * images.astype(np.float32)).astype(np.uint8)
    return images.astype(np.uint8) if _are_whole(images, 255) else None


def _are_whole(values: np.ndarray, most: int) -> bool:
    if values.dtype.kind not in "biuf":
        return False
    return bool(np.all((values >= 0) & (values <= most) & (values == np.floor(values))))


def _range(values: np.ndarray) -> str:
    if values.dtype.kind not in "biuf":
        return f"of type {values.dtype}"
    if not np.isfinite(values).all():
        return f"{values.dtype} with NaN or infinity"
    return f"{values.dtype} from {values.min():g} to {values.max():g}"


def _together(path: Path, images: Any, labels: Any) -> tuple[Images, Labels]:
    if len(images) != len(labels) or labels.max() > _LAST:
        largest = f"the largest {labels.max()} of at most {_LAST}"
        raise ValueError(f"{path} holds {len(labels)} labels, {largest}, for {len(images)} images")
    return images, labels
