"""A directory of results: whose it is, and files that are complete or absent."""

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

import fmjax
from fmjax.checks import require_place
from fmjax.reproduce.engine import fingerprint
from fmjax.reproduce.plotting import styled

RECORD, GRIDS, REPORT_JSON, REPORT_HTML = "fmjax.json", "grids", "report.json", "report.html"
_ELSEWHERE = "choose another directory for --out"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside ``path``, of this writer alone, that takes its place when the block ends without an exception."""
    partial = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_netcdf(path: Path, dataset: xr.Dataset) -> None:
    """A NetCDF file, whole or not at all; made in memory, as HDF5 crashes where a disk is full."""
    with replacing(path) as partial, _no_cluster():
        partial.write_bytes(dataset.to_netcdf(engine="h5netcdf"))


def _no_cluster() -> AbstractContextManager[Any]:
    """While there is a client of dask, xarray would ask the cluster for a lock of the file, which here has no name."""
    if find_spec("dask") is None:
        return nullcontext()
    import dask.config

    return dask.config.set(scheduler="synchronous")


class Directory:
    """Results of one set of settings, which ``fmjax.json`` records: the stores of their grids, and what is made of these.

    Everything but the stores is made of them in seconds, and written again by every run.

    Args:
        path: the directory; made when it is taken.
        names: of the figures that there are.
        settings: everything that decides what the results are.
    """

    def __init__(self, path: Path, names: list[str], settings: dict[str, Any]):
        self.path, self.names, self.settings = path, names, json.loads(json.dumps(settings))

    @property
    def grids(self) -> Path:
        """Where the stores are."""
        return self.path / GRIDS

    def dataset_path(self, name: str) -> Path:
        """The dataset of a figure."""
        return self.path / f"figure-{name}.nc"

    def picture_paths(self, name: str) -> tuple[Path, Path]:
        """The pictures of a figure: PNG and PDF."""
        return self.path / f"figure-{name}.png", self.path / f"figure-{name}.pdf"

    def check(self) -> None:
        """Refuse a directory that holds anything that writing here would overwrite or mix with.

        Raises:
            ValueError: there is a file of another origin, or there are results of other settings, or no directory can be
                there.
        """
        require_place("--out", self.path)
        record = self.path / RECORD
        if _is_there(record):
            if other := self._differs(_settings_of(record)):
                raise ValueError(f"{self.path} holds results of other settings ({other}); {_ELSEWHERE}")
            return
        figures = (path for name in self.names for path in (self.dataset_path(name), *self.picture_paths(name)))
        for path in (*figures, *(self.path / name for name in (GRIDS, REPORT_JSON, REPORT_HTML))):
            if _is_there(path):
                raise ValueError(f"{path} is there already, and no {RECORD} says that it may be replaced; {_ELSEWHERE}")

    def _differs(self, found: dict[str, Any]) -> str:
        """In what these settings are others than ours; figures that one of both does not know do not matter."""
        ours = self.settings
        if any(found[name] != ours[name] for name in ("quick", "fmjax")):
            return f"{'quick' if found['quick'] else 'full'} grids, fmjax {found['fmjax']}"
        known = [name for name in ours["figures"] if name in found["figures"]]
        differing = [name for name in known if found["figures"][name] != ours["figures"][name]]
        return f"of figure {' and '.join(differing)}" if differing else ""

    def take(self) -> None:
        """Make it, and record its settings: what is in it is theirs from now on."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.write_json(RECORD, {"settings": self.settings})

    def provenance(self) -> dict[str, Any]:
        """What every file carries."""
        import jax
        import numpy as np

        return {
            "fingerprint": fingerprint(self.settings),
            "fmjax": fmjax.__version__,
            "jax": jax.__version__,
            "numpy": np.__version__,
            "quick": int(self.settings["quick"]),
        }

    def write_dataset(self, name: str, dataset: xr.Dataset) -> None:
        """Write a dataset with its provenance."""
        flags = ["--quick"] if self.settings["quick"] else []
        dataset = dataset.assign_attrs(
            self.provenance(),
            settings=json.dumps(self.settings["figures"][name]),
            command=" ".join(["fmjax", "figure", name, *flags, "--out", "DIR"]),
        )
        write_netcdf(self.dataset_path(name), dataset)

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
    """Whether there is something to lose: anything but an empty file."""
    return path.exists() and (not path.is_file() or path.stat().st_size > 0)


def _settings_of(record: Path) -> dict[str, Any]:
    """The settings that a record holds, the quick ones or not, of which version."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))["settings"]
        return {"quick": found["quick"], "fmjax": found["fmjax"], "figures": dict(found["figures"])}
    except (ValueError, OSError, KeyError, TypeError):
        raise ValueError(f"{record} is damaged, or was not written by fmjax reproduce; {_ELSEWHERE}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value
