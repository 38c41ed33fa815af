"""A store of results on disk: labelled arrays in zarr, one chunk per block, and for each block a checksum written last.

Every chunk is written under another name and renamed: it is there as a whole or not at all. A block whose checksum is there
is finished; one that was interrupted is computed again. What reads back differently from what was written is found out.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from fmjax.sweeps.layout import FORMAT, add_coordinate, lay_out
from fmjax.sweeps.plan import Plan
from fmjax.sweeps.values import differences

_EARLIER = ("fmjax sweep 1",)  # can be read: some outputs had other names


def need(*modules: str) -> None:
    """Refuse, before anything runs, what cannot work.

    Raises:
        ValueError: a library is missing; the message names the extra that brings it.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ValueError(f"sweeps need {' and '.join(missing)}: pip install 'fmjax[sweeps]'")


class Busy(ValueError):
    """Another run makes this store, or writes to it, at this moment."""


class Store:
    """The results of one plan.

    Args:
        path: of the directory.
        plan: what it holds.

    Raises:
        ValueError: it is damaged.
    """

    def __init__(self, path: Path, plan: Plan):
        import zarr

        self.path, self.plan = path, plan
        names = [*plan.quantity.outputs, "result", "block_seconds", "block_checksum"]
        try:
            group = zarr.open_group(path, mode="r+", zarr_format=3)
            arrays: dict[str, Any] = {name: group[name] for name in names}
        except (ValueError, KeyError, TypeError) as error:
            reason = "what says how its arrays are stored cannot be read"
            raise ValueError(f"{path} is damaged, {reason} ({error}): compute it anew under another name") from None
        self._seconds, self._checksums = arrays.pop("block_seconds"), arrays.pop("block_checksum")
        self._outputs = arrays

    # -----------------------------------------------------------------------------------------------------------------
    # From nothing, or from what is there

    @classmethod
    def create(cls, path: Path, plan: Plan) -> "Store":
        """A store without results, complete before it takes its name.

        Raises:
            FileExistsError: there is something of that name already.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            partial.chmod(0o777 & ~_umask())
            lay_out(partial, plan)
            partial.rename(path)  # fails where a directory holds something
        except OSError as error:
            if path.exists():
                raise FileExistsError(error.errno, "there is something of that name", str(path)) from None
            raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return cls(path, plan)

    def repair(self) -> None:
        """Remove what killed writers left behind, and write damaged coordinates again: they follow from the request."""
        import zarr

        for leftover in self.path.rglob("*.partial"):
            leftover.unlink(missing_ok=True)
        for name, dims, value, about in self.plan.coordinates():
            try:
                array = zarr.open_array(self.path / name, mode="r+")
            except (OSError, ValueError, KeyError):
                shutil.rmtree(self.path / name, ignore_errors=True)
                add_coordinate(zarr.open_group(self.path, mode="r+", zarr_format=3), name, dims, value, about)
                continue
            if not _holds(array, value):
                _remove(array, (0,) * value.ndim)
                array[...] = value

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out for as long as this process lives, however it ends.

        Raises:
            Busy: another run writes to it.
        """
        import fcntl

        with (self.path / "zarr.json").open("r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"another run writes to {self.path} at this moment: let it end, or end it") from None
            yield

    # -----------------------------------------------------------------------------------------------------------------
    # Blocks

    def write(self, index: int, results: Mapping[str, np.ndarray], seconds: float) -> None:
        """Write a block: its results, what it cost, and last of all the checksum that makes it count."""
        region = self.plan.region(index)
        for name, array in self._outputs.items():
            array[region] = results[name]
        self._seconds[index] = seconds
        self._checksums[index] = _checksum(results[name] for name in self._outputs)

    def read(self, index: int) -> dict[str, np.ndarray]:
        """The results of a block."""
        region = self.plan.region(index)
        return {name: np.asarray(array[region]) for name, array in self._outputs.items()}

    def is_finished(self, index: int) -> bool:
        """Whether the checksum of a block is there."""
        return bool(_read_or_zero(self._checksums, slice(index, index + 1))[0])

    def finished(self) -> np.ndarray:
        """Which blocks have a checksum, shape ``(blocks,)``."""
        checksums = _read_or_zero(self._checksums, slice(None))
        return checksums != 0

    def seconds(self) -> np.ndarray:
        """Wall time of every block; NaN where it is not known."""
        return _read_or_zero(self._seconds, slice(None))

    def is_intact(self, index: int) -> bool:
        """Whether a finished block reads back as it was written."""
        try:
            results = self.read(index)
        except (ValueError, OSError, RuntimeError):  # what codecs make of a damaged chunk
            return False
        return int(self._checksums[index]) == _checksum(results[name] for name in self._outputs)

    def forget(self, index: int) -> None:
        """Remove a block, its checksum first."""
        for array in (self._checksums, self._seconds):
            _remove(array, (index,))
        for array in self._outputs.values():
            _remove(array, self.plan.place(index))


def identity_of(path: Path) -> dict[str, Any]:
    """The request that a store was made for.

    Raises:
        ValueError: it is not a store of `fmjax sweep`.
    """
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        known = attributes.get("format") in (FORMAT, *_EARLIER)
        identity = json.loads(attributes["request"]) if known else None
    except (OSError, ValueError, KeyError, TypeError):
        identity = None
    if not isinstance(identity, dict):
        raise ValueError(f"{path} is not a store that fmjax sweep wrote: choose another one")  # noqa: TRY004  (a file, not a type)
    return identity


def is_store(path: Path) -> bool:
    """Whether `fmjax sweep` made it."""
    try:
        identity_of(path)
    except ValueError:
        return False
    return True


def refuse_another(path: Path, plan: Plan) -> None:
    """Refuse a store that was made for another request.

    Raises:
        ValueError: it is not a store, or one of another request: the message names the difference.
    """
    unlike = list(differences(plan.identity, identity_of(path)))
    attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
    if attributes["format"] in _EARLIER:
        raise ValueError(
            f"{path} is of an earlier fmjax, whose outputs had other names: it can be read only, choose another name"
        )
    if unlike:
        raise ValueError(f"{path} holds another sweep: {'; '.join(unlike)}: choose another name")


def _checksum(parts: Iterable[np.ndarray]) -> int:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return int.from_bytes(digest.digest()[:8], "little") or 1  # 0 stands for "not finished"


def _holds(array: Any, value: np.ndarray) -> bool:
    try:
        return np.array_equal(np.asarray(array[...]), value, equal_nan=value.dtype.kind == "f")
    except (ValueError, OSError, RuntimeError):
        return False


def _read_or_zero(array: Any, where: slice) -> np.ndarray:
    """Some values of an array with one chunk each; where a chunk cannot be read, 0."""
    try:
        return np.asarray(array[where])
    except (ValueError, OSError, RuntimeError):
        values = np.zeros(array.shape, array.dtype)
        for index in range(*where.indices(array.shape[0])):
            try:
                values[index] = array[index]
            except (ValueError, OSError, RuntimeError):
                values[index] = 0
        return values[where]


def _remove(array: Any, chunk: tuple[int, ...]) -> None:
    """Remove a chunk, whatever is in it: it then reads as the fill value."""
    (array.store.root / array.path / array.metadata.encode_chunk_key(chunk)).unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
