"""What figures and the report compute with: the sweep engine, whose stores are kept and shared by all that ask the same."""

import hashlib
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from fmjax.progress import tell
from fmjax.sweeps import read, sweep
from fmjax.sweeps.run import simultaneous
from fmjax.sweeps.store import Busy

_AGAIN = 1.0  # seconds after which a store that another run writes to is asked for again


def fingerprint(settings: dict[str, Any]) -> str:
    """Short name of all settings: results with another one are other results."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Engine:
    """What a figure computes with.

    Attributes:
        directory: for the stores; without one, nothing is kept.
        client: of dask, whose workers compute the grids; this process without one.
        shows: how far grids are, on standard error.
    """

    directory: Path | None = None
    client: Any = None
    shows: bool = False

    @property
    def at_once(self) -> int:
        """How many grids of one point it computes at a time, at least."""
        return max(1, simultaneous(self.client))

    def grid(self, quantity: str, block: int | None = None, **controls: Any) -> xr.Dataset:
        """The answers over a grid of controls, by `fmjax.sweep`, in blocks of so many points."""
        if self.directory is None:
            with tempfile.TemporaryDirectory() as directory:
                return replace(self, directory=Path(directory)).grid(quantity, block, **controls)
        plan = read({"quantity": quantity, "grid": controls} | ({} if block is None else {"block": block}))
        store = self.directory / f"{quantity}-{fingerprint(plan.identity)}.zarr"
        told = False
        while True:
            try:
                return sweep(plan.request, store, resume=True, scheduler=self.client, progress=self.shows).load()
            except Busy:  # it may make another figure, of the same grid
                if not told:
                    tell(f"{store.name} is being computed by another run: waiting for that")
                told = True
                time.sleep(_AGAIN)
            except ValueError as error:
                if store.exists():
                    raise ValueError(f"{store} cannot be used: remove it, and it is computed anew ({error})") from None
                raise


USUAL = Engine()


def along(axis: str, values: Any) -> dict[str, Any]:
    """Values of a control along an axis of a grid; where one is NaN, as a threshold that was not found, it has no answer."""
    return {"along": axis, "values": np.ravel(np.asarray(values))}


def threshold(found: xr.Dataset, name: str, axis: str, **about: str) -> dict[str, Any]:
    """Variables of a threshold along an axis: the value under this name, its error estimate and its result."""
    units = {"units": "1"}
    return {
        name: (axis, found.value.to_numpy(), units | about),
        f"{name}_error_estimate": (axis, found.error_estimate.to_numpy(), units),
        f"{name}_result": (axis, found.result.to_numpy()),
    }
