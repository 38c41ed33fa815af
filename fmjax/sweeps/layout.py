"""How a store is laid out: its arrays, coordinates and attributes, before there are results."""

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fmjax.sweeps.plan import Plan

# Result codes of points whose block is not finished, and of those that lack the value of a control.
NOT_COMPUTED, UNKNOWN = 255, 254
FORMAT = "fmjax sweep 2"
_PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "zarr", "xarray")


def lay_out(path: Path, plan: Plan) -> None:
    """Make all arrays of a store in an empty directory, and write its coordinates and attributes."""
    import zarr

    quantity, axes = plan.quantity, list(plan.axes)
    attributes: dict[str, Any] = {
        "format": FORMAT,
        "title": quantity.about,
        "request": json.dumps(plan.identity),
        "python": sys.version.split()[0],
        **{name: version(name) for name in _PACKAGES},
        "revision": revision(),
    }
    group = zarr.open_group(path, mode="a", zarr_format=3, attributes=attributes)
    for name, dims, values, about in plan.coordinates():
        add_coordinate(group, name, dims, values, about)
    for name, output in quantity.outputs.items():
        fill = np.nan if output.dtype == "float64" else 0
        about = {"units": output.units, "long_name": output.about}
        _create(group, name, about, axes, plan.shape, plan.chunk, output.dtype, fill)
    codes = list(range(len(quantity.sentences)))
    about = {"flag_values": codes, "sentences": list(quantity.sentences)}
    _create(group, "result", about, axes, plan.shape, plan.chunk, "uint8", NOT_COMPUTED)
    about = {"units": "s", "long_name": "wall time of a block; with compilation, where a process met its first one"}
    _create(group, "block_seconds", about, ["block"], (plan.count,), (1,), "float64", np.nan)
    about = {"long_name": "of the results of a block, written last; 0: it is not finished"}
    _create(group, "block_checksum", about, ["block"], (plan.count,), (1,), "uint64", 0)


def add_coordinate(group: Any, name: str, dims: Sequence[str], values: np.ndarray, about: str) -> None:
    """Make the array of a coordinate, and write it."""
    dtype, fill = ("string", "") if values.dtype.kind == "U" else (values.dtype, 0)
    _create(group, name, {"long_name": about}, list(dims), values.shape, values.shape, dtype, fill)[...] = values


def _create(
    group: Any, name: str, about: dict[str, Any], dims: list[str], shape: Any, chunks: Any, dtype: Any, fill: Any
) -> Any:
    from zarr.codecs import Crc32cCodec, ZstdCodec

    options = {"dimension_names": dims, "attributes": about, "fill_value": fill}
    return group.create_array(
        name, shape=shape, chunks=chunks, dtype=dtype, compressors=[ZstdCodec(), Crc32cCodec()], **options
    )


def revision() -> str:
    """Git revision of the code, with ``+`` if it was changed since; empty where there is no repository."""
    here = Path(__file__).resolve().parent
    git = ["git", "-C", str(here), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        # Nothing in these two commands comes from outside.
        done = subprocess.run(git, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
        tracked = subprocess.run([*git[:3], "ls-files", "--error-unmatch", __file__], capture_output=True, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == tracked.returncode == 0 else ""
