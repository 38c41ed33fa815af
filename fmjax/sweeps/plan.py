"""What was asked for, checked: a grid of named controls, cut into blocks that are computed and stored one by one."""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from fmjax import __version__
from fmjax.checks import as_path
from fmjax.precision import usual_arithmetic
from fmjax.quantities import QUANTITIES, Quantity
from fmjax.sweeps.values import plain, values_of

KEYS = ("quantity", "block", "grid")
POINT = "point"  # the axis of points that are listed one by one


@dataclass(frozen=True)
class Plan:
    """A quantity over a grid.

    Points are taken in C order over the axes as asked for, but whole ones (distances) last. Blocks are boxes of this grid,
    of one shape but at the edges. A control may have its values along the axis of another, or of points listed one by one.

    Attributes:
        name: of the quantity.
        axes: values of the controls that vary, each of shape ``(n,)``; axes ``along`` last. Of `POINT`: numbers.
        tied: controls that vary along one of these axes: its name, and a value for each of its places, perhaps NaN.
        fixed: the other controls.
        block: shape of a block, over the axes that are not ``along``.
        request: what was asked for, defaults filled in.
        data: hashes of the files that decide the results, too.
    """

    name: str
    axes: dict[str, np.ndarray]
    tied: dict[str, tuple[str, np.ndarray]]
    fixed: dict[str, Any]
    block: tuple[int, ...]
    request: dict[str, Any]
    data: tuple[str, ...] = ()

    @property
    def quantity(self) -> Quantity:
        """What is computed."""
        return QUANTITIES[self.name]

    @cached_property
    def outer(self) -> tuple[str, ...]:
        """Axes that are cut into blocks."""
        return tuple(name for name in self.axes if name not in self.quantity.along)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of every output."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of a block, with the axes ``along``."""
        return self.block + self.shape[len(self.outer) :]

    @property
    def blocks(self) -> tuple[int, ...]:
        """Number of blocks along each axis."""
        return tuple(math.ceil(n / size) for n, size in zip(self.shape, self.chunk, strict=True))

    @property
    def count(self) -> int:
        """Number of blocks."""
        return math.prod(self.blocks)

    @property
    def points(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    def place(self, index: int) -> tuple[int, ...]:
        """The place of block ``index`` among the blocks, along each axis."""
        return tuple(int(i) for i in np.unravel_index(index, self.blocks)) if self.blocks else ()

    def region(self, index: int) -> tuple[slice, ...]:
        """The box of the grid that block ``index`` covers."""
        sizes = zip(self.place(index), self.chunk, self.shape, strict=True)
        return tuple(slice(i * size, min((i + 1) * size, n)) for i, size, n in sizes)

    def columns(self, index: int) -> tuple[dict[str, Any], dict[str, np.ndarray], tuple[int, ...]]:
        """Static controls of block ``index``, its other controls point by point, and the shape of its outputs."""
        places, controls = dict(zip(self.axes, self.region(index), strict=True)), self.quantity.controls
        lists = {name: (name, values) for name, values in self.axes.items() if name != POINT} | self.tied
        lists = {name: (axis, values[places[axis]]) for name, (axis, values) in lists.items()}
        static = {name: value for name, value in self.fixed.items() if controls[name].static}
        static |= {name: values[0].item() for name, (_, values) in lists.items() if controls[name].static}
        shape = tuple(part.stop - part.start for part in places.values())
        outer = shape[: len(self.outer)]
        mesh = {name: numbers.ravel() for name, numbers in zip(self.outer, np.indices(outer), strict=True)}
        varying = {name: (axis, values) for name, (axis, values) in lists.items() if axis in mesh and name not in static}
        columns = {name: values[mesh[axis]] for name, (axis, values) in varying.items()}
        for name, value in self.fixed.items():
            if name not in static and name not in self.quantity.along:
                columns[name] = np.full(math.prod(outer), value)
        return static, columns, shape

    def along(self) -> dict[str, np.ndarray]:
        """Axes that go into every call as a whole; a fixed one has a single value."""
        return {name: np.atleast_1d((self.axes | self.fixed)[name]) for name in self.quantity.along}

    def coordinates(self) -> Iterator[tuple[str, tuple[str, ...], np.ndarray, str]]:
        """Name, axes, values and meaning of every coordinate of the results."""
        places = {name: ((name,), values) for name, values in self.axes.items()}
        places |= {name: ((axis,), values) for name, (axis, values) in self.tied.items()}
        for name, (axes, value) in (places | {name: ((), value) for name, value in self.fixed.items()}).items():
            about = "place in the lists of values" if name == POINT else self.quantity.controls[name].about
            yield name, axes, np.asarray(value), about

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides the results: what must agree for a sweep to go on."""
        data = {"data": list(self.data)} if self.data else {}
        return {**self.request, "axes": list(self.axes), "fmjax": __version__} | data


def read(source: Path | str | Mapping[str, Any]) -> Plan:
    """The plan of a TOML file, or of a dictionary of the same form.

    Args:
        source: the file, or the dictionary: see `sweep`.

    Returns:
        A `Plan`: axes, blocks and everything that decides the results.

    Raises:
        ValueError: the request makes no sense; the message says what is wrong with which key.
        TypeError: it is neither a path nor a dictionary.
        OSError: the file cannot be read.

    Example:
        >>> from fmjax.sweeps import read
        >>> plan = read({"quantity": "capacity", "block": 4, "grid": {"margin": "0:1:11"}})
        >>> plan.points, plan.count  # blocks of 4, 4 and 3
        (11, 3)
    """
    if isinstance(source, Mapping):
        return plan_of(source)
    path = as_path("a request that is no dictionary", source)
    try:
        return plan_of(tomllib.loads(path.read_text(encoding="utf-8-sig")))  # some editors begin files with a mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{str(path)!r} is not TOML: {error}") from None


def plan_of(request: Mapping[str, Any]) -> Plan:
    """Check a request and lay out its grid."""
    name = request.get("quantity")
    if name not in QUANTITIES:
        raise ValueError(f"quantity must be one of {', '.join(QUANTITIES)}, not {name!r}")
    for key in request:
        if key not in KEYS:
            raise ValueError(f"unknown key {key!r}: a sweep has {', '.join(KEYS)}; controls stand under [grid]")
    quantity = QUANTITIES[name]
    asked = request.get("grid", {})
    if not isinstance(asked, Mapping):
        raise ValueError(f"[grid] must be a table of controls, not {asked!r}")  # noqa: TRY004  (a bad request)
    grid = {key.replace("-", "_"): value for key, value in asked.items()}
    for key in grid:
        if key not in quantity.controls:
            raise ValueError(f"[grid] holds the unknown control {key!r}; {name} has {', '.join(quantity.controls)}")
    silent = {key: control for key, control in quantity.controls.items() if key not in grid and not control.optional}
    defaults = {key: control.default for key, control in silent.items()}
    if missing := [key for key, default in defaults.items() if default is None]:
        raise ValueError(f"[grid] lacks {' and '.join(missing)}, which {name} cannot do without")
    settings = {key: plain(value) for key, value in (grid | defaults).items()}
    values = {key: values_of(key, value, quantity.controls[key]) for key, value in settings.items()}
    ties = {key: value["along"].replace("-", "_") for key, value in settings.items() if isinstance(value, dict)}
    varying = [key for key in values if not np.isscalar(values[key])]
    lengths = {ties.get(key, key): len(values[key]) for key in varying}
    axes = {key: values[key] if key in values else np.arange(length) for key, length in lengths.items()}
    _check_ties(quantity, values, ties, axes)
    data = _check_words(quantity, values, ties)
    along = quantity.along
    axes = {key: axes[key] for key in sorted(axes, key=lambda key: along.index(key) + 1 if key in along else 0)}
    points = request.get("block", quantity.block)
    if isinstance(points, bool) or not isinstance(points, int) or points < 1:
        raise ValueError(f"block must be a whole number of points, at least 1, not {points!r}")
    outer = {key: len(values) for key, values in axes.items() if key not in along}
    single = {ties.get(key, key) for key in varying if quantity.controls[key].static}
    tied = {key: (axis, values[key]) for key, axis in ties.items()}
    fixed = {key: value for key, value in values.items() if key not in varying}
    kept = {"quantity": name, "block": points, "grid": settings}
    return Plan(name, axes, tied, fixed, _block(outer, single, points), kept, data)


def _check_words(quantity: Quantity, values: Mapping[str, Any], ties: Mapping[str, str]) -> tuple[str, ...]:
    """Refuse what is possible each, and not together: parts of a model, and its replicas. Hashes of the data."""
    words = [key for key, one in quantity.controls.items() if (key in values if one.optional else one.static)]
    axes = {ties.get(key, key): range(np.size(values[key])) for key in words}  # what is tied varies together
    data: dict[str, None] = {}
    with usual_arithmetic():
        for together in product(*axes.values()) if quantity.check or quantity.data else ():
            place = dict(zip(axes, together, strict=True))
            chosen = {key: np.ravel(values[key])[place[ties.get(key, key)]].item() for key in words}
            if quantity.check is not None:
                quantity.check(chosen)
            if quantity.data is not None:
                data[quantity.data(chosen)] = None
    return tuple(data)


def _check_ties(quantity: Quantity, values: Mapping[str, Any], ties: Mapping[str, str], axes: Mapping[str, Any]) -> None:
    """Refuse values along what is no axis, or more or fewer than there are places on it."""
    possible = [key for key in axes if np.ndim(values.get(key, 0)) and key not in {*ties, *quantity.along}]
    for key, axis in ties.items():
        if axis not in {*possible, POINT} or key in quantity.along:
            allowed = " or ".join(map(repr, dict.fromkeys([*possible, POINT])))
            whole = f", and {key} is taken as a whole list" if key in quantity.along else ""
            raise ValueError(f"{key} cannot be given along {axis!r}: single numbers can, along {allowed}{whole}")
        if len(values[key]) != len(axes[axis]):
            raise ValueError(f"{key} has {len(values[key])} values along {axis!r}, and {len(axes[axis])} are needed")


def _block(outer: Mapping[str, int], single: set[str], points: int) -> tuple[int, ...]:
    """Shape of blocks of at most ``points``, filled from the last axis on, as even as they come."""
    shape = []
    for name, n in reversed(list(outer.items())):
        size = 1 if name in single else math.ceil(n / math.ceil(n / min(points, n)))
        shape.append(size)
        points = max(1, points // size)
    return tuple(reversed(shape))
