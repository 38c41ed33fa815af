"""Read a store: its dataset, also while it is being written, and values between converged points."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from fmjax.checks import as_path, refuse_masked
from fmjax.quantities import QUANTITIES
from fmjax.sweeps.layout import NOT_COMPUTED, UNKNOWN
from fmjax.sweeps.plan import POINT
from fmjax.sweeps.store import identity_of, need

_ON_GRID = 1e-9  # of the spacing
_COUNTED = 100_000  # results held at a time
_MISSING = {NOT_COMPUTED: "not computed yet", UNKNOWN: "a control that runs along an axis has no value here"}
_ABOUT_ERRORS = {"error_estimate", "residual"}  # of points, and not of what is read between them


class _Sentences(BackendArray):
    """Codes of a stored array, read as sentences when they are looked at: a large store is not a list of strings."""

    def __init__(self, codes: Any, sentences: list[str]):
        self.codes, self.shape = codes, codes.shape
        known = dict(enumerate(sentences)) | _MISSING
        self.table = np.full(NOT_COMPUTED + 1, "unknown", dtype=f"<U{max(map(len, known.values()))}")
        self.table[list(known)] = list(known.values())
        self.dtype = self.table.dtype

    def __getitem__(self, key: Any) -> Any:
        basic = indexing.IndexingSupport.BASIC
        return indexing.explicit_indexing_adapter(key, self.shape, basic, lambda part: self.table[self.codes[part]])


def open_store(path: Path | str) -> xr.Dataset:
    """The dataset of a sweep, read from disk when it is looked at.

    Dimensions are the controls that vary, other controls scalar coordinates; ``result`` says of every point ``"converged"``
    or why not, ``"not computed yet"`` for those of an unfinished sweep. ``block_seconds`` is the wall time of each block.
    Attributes hold the request, versions and the git revision. A chunk that is damaged on disk raises when it is read:
    ``fmjax sweep --resume`` finds it and computes it again.

    Args:
        path: of the store, a directory.

    Raises:
        ValueError: ``path`` is not a store of `sweep`.
        TypeError: it is no path.
    """
    need("zarr")
    import zarr

    path = as_path("the store", path)
    request = identity_of(path)
    found = xr.open_zarr(path, chunks=None, consolidated=False, zarr_format=3).drop_vars("block_checksum")
    codes = found.result
    sentences = _Sentences(zarr.open_array(path / "result", mode="r"), codes.attrs["sentences"])
    found["result"] = xr.Variable(codes.dims, indexing.LazilyIndexedArray(sentences), {"long_name": "outcome"})
    scalars = [name for name in request["grid"] if name not in request["axes"]]
    return found.set_coords(scalars)


def outcomes(dataset: xr.Dataset) -> dict[str, int]:
    """How many points ended with each ``result``, success first; counted block by block.

    Args:
        dataset: of `open_store`, or what `sweep` returned.

    Raises:
        ValueError: it is another dataset.
    """
    quantity = QUANTITIES[_quantity_of(dataset)]
    counts = dict.fromkeys(quantity.sentences, 0)
    rows = dataset.result if dataset.result.ndim else dataset.result.expand_dims("point")
    step = max(1, _COUNTED * rows.shape[0] // max(1, rows.size))
    for start in range(0, rows.shape[0], step):
        names, numbers = np.unique(rows[start : start + step].to_numpy(), return_counts=True)
        for name, number in zip(names, numbers, strict=True):
            counts[str(name)] = counts.get(str(name), 0) + int(number)
    return {name: number for name, number in counts.items() if number or name == quantity.sentences[0]}


def interpolate(dataset: xr.Dataset, **at: Any) -> xr.Dataset:
    """Values between the points of a grid, linear in every control that is neither a word nor a whole number.

    Only from converged points: between two of them, or on one. The error of the interpolation, of second order in the
    spacing of the grid, is not known; estimates of the errors of points are left out.

    Args:
        dataset: of `open_store`.
        at: for each dimension a number, a word, or a list of numbers, of which all combinations are taken.

    Returns:
        The floating-point variables, over the controls that were given as lists.

    Raises:
        ValueError: a control is missing, unknown or outside the grid, a point that is needed has no value (the message
            names it, and its ``result``), or it is no dataset of a sweep.

    Example:
        >>> import tempfile, fmjax
        >>> request = {"quantity": "first-moment", "grid": {"alpha": "0.1:0.9:81"}}
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     found = fmjax.sweep(request, f"{directory}/bound.zarr")
        ...     print(f"{float(fmjax.sweeps.interpolate(found, alpha=0.505).entropy):.6f}")
        0.343108
    """
    quantity = _quantity_of(dataset)
    dims = list(dataset.result.dims)
    if set(at) != set(dims):
        raise ValueError(f"give a value for each of {', '.join(map(str, dims))}, not for {', '.join(at) or 'none'}")
    numbers = [
        name
        for name, variable in dataset.data_vars.items()
        if variable.dims == dataset.result.dims and variable.dtype.kind == "f" and name not in _ABOUT_ERRORS
    ]
    needed = dataset[[*numbers, "result"]]
    weights: dict[str, xr.DataArray] = {}
    for name, where in at.items():
        refuse_masked(name, where)
        values = dataset[name].to_numpy()
        points, weight = _neighbours(name, values, np.atleast_1d(where))
        used = np.unique(points[weight > 0])
        needed = needed.isel({name: used})
        matrix = np.zeros((len(points), len(used)))
        places = np.minimum(np.searchsorted(used, points), len(used) - 1)  # of those without weight: anywhere
        np.add.at(matrix, (np.arange(len(points))[:, None], places), weight)
        weights[name] = xr.DataArray(matrix, dims=(f"_{name}", name), coords={f"_{name}": np.atleast_1d(where)})
    _require_converged(needed, quantity)
    found = needed[numbers].load()
    for name, matrix in weights.items():
        found = found.drop_vars(name).map(lambda variable, m=matrix: xr.dot(m, variable)).rename({f"_{name}": name})
        found = found if np.ndim(at[name]) else found.squeeze(name)
    return found.map(lambda variable: variable.transpose(*(dim for dim in dims if dim in variable.dims)))


def _quantity_of(dataset: xr.Dataset) -> str:
    try:
        return json.loads(dataset.attrs["request"])["quantity"]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError("this is no dataset of a sweep: open one with fmjax.open, and keep its attributes") from None


def _neighbours(name: str, values: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the two grid points around each value, and their weights; shape ``(n, 2)``."""
    if name == POINT or values.dtype.kind != "f":  # nothing lies between words, whole numbers, or listed points
        unknown = [word for word in where if word not in values]
        if unknown:
            raise ValueError(f"{name} = {str(unknown[0])!r} is not in the grid: it has {', '.join(map(str, values))}")
        index = np.array([int(np.flatnonzero(values == word)[0]) for word in where])
        return np.stack([index, index], axis=1), np.tile([1.0, 0.0], (len(where), 1))
    if where.dtype.kind not in "iuf":
        raise ValueError(f"{name} = {where[0]!r} is no number: give one, or a list of them")
    outside = ~((where >= values[0]) & (where <= values[-1]))
    if outside.any():
        raise ValueError(f"{name} = {where[outside][0]} lies outside the grid, from {values[0]:g} to {values[-1]:g}")
    low = np.clip(np.searchsorted(values, where, side="right") - 1, 0, max(len(values) - 2, 0))
    high = np.minimum(low + 1, len(values) - 1)
    fraction = np.where(high > low, (where - values[low]) / np.where(high > low, values[high] - values[low], 1.0), 0.0)
    # A point of the grid, however it was rounded, needs no neighbour.
    fraction = np.where(fraction < _ON_GRID, 0.0, np.where(fraction > 1.0 - _ON_GRID, 1.0, fraction))
    return np.stack([low, high], axis=1), np.stack([1.0 - fraction, fraction], axis=1)


def _require_converged(needed: xr.Dataset, quantity: str) -> None:
    results = needed.result.to_numpy()
    bad = np.argwhere(results != QUANTITIES[quantity].sentences[0])
    if len(bad):
        first = needed.result.isel(dict(zip(needed.result.dims, map(int, bad[0]), strict=True)))
        where = ", ".join(f"{dim} = {first[dim].item()}" for dim in needed.result.dims)
        raise ValueError(f"nothing can be read there: at {where}, which is needed, the result is {first.item()!r}")
