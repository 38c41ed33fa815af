"""A directory of results: what is in it, whether it may be written to, and files that are complete or absent."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

import fmjax
from fmjax.checks import require_place
from fmjax.progress import tell
from fmjax.reproduce.engine import fingerprint
from fmjax.reproduce.plotting import styled

THRESHOLDS, REPORT_JSON, REPORT_HTML = "thresholds.json", "report.json", "report.html"
_ELSEWHERE = "choose another directory for --out"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` that takes its place when the block ends without an exception."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_netcdf(path: Path, dataset: xr.Dataset) -> None:
    """A NetCDF file, whole or not at all; made in memory, as HDF5 crashes where a disk is full."""
    with replacing(path) as partial:
        partial.write_bytes(dataset.to_netcdf(engine="h5netcdf"))


class Directory:
    """Results of one set of settings, and the grids of figures that are not finished.

    Every dataset, thresholds.json and report.json carry the fingerprint of the settings; a picture belongs to the
    dataset of the same name, and report.html to report.json, which are always written first.

    Args:
        path: the directory; made when something is first written.
        names: of the figures that there are.
        settings: everything that decides what the results are.
    """

    def __init__(self, path: Path, names: list[str], settings: dict[str, Any]):
        self.path, self.names, self.settings = path, names, settings
        self.fingerprint = fingerprint(settings)

    def dataset_path(self, name: str) -> Path:
        """The dataset of a figure."""
        return self.path / f"figure-{name}.nc"

    def picture_paths(self, name: str) -> tuple[Path, Path]:
        """The pictures of a figure: PNG and PDF."""
        return self.path / f"figure-{name}.png", self.path / f"figure-{name}.pdf"

    def unfinished_path(self, name: str) -> Path:
        """Where the grids of a figure are until its dataset is there."""
        return self.path / f".unfinished-{self.fingerprint}-figure-{name}"

    def check(self) -> None:
        """Refuse a directory that holds anything that writing here would overwrite or mix with.

        A file of these settings that is damaged will be made again.

        Raises:
            ValueError: there is a file of another origin, or of other settings, or no directory can be there.
        """
        require_place("--out", self.path)
        for name in self.names:
            self._check(self.dataset_path(name), self.picture_paths(name))
        self._check(self.path / THRESHOLDS, ())
        self._check(self.path / REPORT_JSON, (self.path / REPORT_HTML,))
        for path in self.path.glob(".unfinished-*"):
            if not path.name.startswith(f".unfinished-{self.fingerprint}-"):
                raise ValueError(f"{path} holds unfinished results of other settings: remove it, or {_ELSEWHERE}")

    def _check(self, path: Path, dependents: tuple[Path, ...]) -> None:
        marked = _is_there(path)
        if marked:
            found = _provenance(path)
            ours = self.fingerprint == found.get("fingerprint")
            if not (ours or (found.get("damaged") and self.fingerprint.encode() in path.read_bytes())):
                raise ValueError(f"{path} holds {_described(found)}")
        for dependent in dependents:
            if not marked and _is_there(dependent):
                raise ValueError(f"{dependent} was not written by fmjax reproduce; {_ELSEWHERE}")

    def read_dataset(self, name: str) -> xr.Dataset | None:
        """A finished dataset, or None, also where it is damaged."""
        path = self.dataset_path(name)
        try:
            return xr.load_dataset(path, engine="h5netcdf") if _is_there(path) else None
        except (OSError, ValueError, RuntimeError):  # what HDF5 makes of a damaged file
            tell(f"{path} is damaged: it is computed again")
            return None

    def read_json(self, name: str) -> dict[str, Any]:
        """A finished JSON file, or an empty dictionary, also where it is damaged."""
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8")) if _is_there(path) else {}
        except ValueError:
            tell(f"{path} is damaged: it is computed again")
            return {}

    def provenance(self) -> dict[str, Any]:
        """What every file of the directory carries."""
        import jax
        import numpy as np

        return {
            "fingerprint": self.fingerprint,
            "fmjax": fmjax.__version__,
            "jax": jax.__version__,
            "numpy": np.__version__,
            "quick": int(self.settings["quick"]),
        }

    def write_dataset(self, name: str, dataset: xr.Dataset) -> None:
        """Write a dataset with its provenance; what was kept of its grids is not needed any more."""
        flags = ["--quick"] if self.settings["quick"] else []
        dataset = dataset.assign_attrs(
            self.provenance(),
            settings=json.dumps(self.settings["figures"][name]),
            command=" ".join(["fmjax", "figure", name, *flags, "--out", "DIR"]),
        )
        self.path.mkdir(parents=True, exist_ok=True)
        write_netcdf(self.dataset_path(name), dataset)
        shutil.rmtree(self.unfinished_path(name), ignore_errors=True)

    def write_pictures(self, name: str, figure: Figure) -> None:
        """Write a figure as PNG and PDF."""
        with styled(), _quiet_fonts():
            for path in self.picture_paths(name):
                with replacing(path) as partial:
                    figure.savefig(partial, metadata={"CreationDate": None} if path.suffix == ".pdf" else None)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON file with its provenance; numbers that are not finite become null."""
        self.write_text(name, json.dumps(_plain(self.provenance() | content), indent=2, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.path / name) as partial:
            partial.write_text(text, encoding="utf-8")


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Embedding DejaVu makes fontTools doubt the dates inside the font, at length."""
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _is_there(path: Path) -> bool:
    """Whether there is something to lose: a file that is not empty."""
    return path.exists() and (not path.is_file() or path.stat().st_size > 0)


def _provenance(path: Path) -> dict[str, Any]:
    """Attributes of a file, or that it is a damaged one of ours."""
    try:
        if path.suffix == ".nc":
            with xr.open_dataset(path, engine="h5netcdf") as dataset:
                return dict(dataset.attrs)
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else {}
    except (ValueError, OSError):
        begin = b"\x89HDF" if path.suffix == ".nc" else b'{\n  "fingerprint"'
        damaged = path.is_file() and path.read_bytes().startswith(begin)
        return {"damaged": True} if damaged else {}


def _described(found: dict[str, Any]) -> str:
    if found.get("damaged"):
        return f"something damaged, which does not say that it is of these settings: remove it, or {_ELSEWHERE}"
    if "fingerprint" not in found:
        return f"something that fmjax reproduce did not write; {_ELSEWHERE}"
    length = "quick" if found.get("quick") else "full"
    return f"results of other settings ({length} grids, fmjax {found.get('fmjax', 'unknown')}); {_ELSEWHERE}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
