"""The report: every number with its error and the literature, and every figure, in one file that needs no other."""

import base64
import math
import platform
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, resources
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import xarray as xr

import fmjax
from fmjax import names
from fmjax.progress import bar, ending
from fmjax.quantities.listing import command
from fmjax.reproduce.engine import Engine
from fmjax.reproduce.reading_theory import PAPER_ALPHA_U, PAPER_LARGE_DEVIATIONS
from fmjax.sentences import CONVERGED

_KRAUTH_MEZARD = "Krauth and Mézard 1989; Ding and Sun 2019"
_PAPER = "Baldassi et al., PRL 127, 278301 (2021)"
_DENSE = "an estimate in print"
_ENCLOSURE = "certified enclosure"
_STOJNIC = "Stojnic, arXiv:2604.19712"
_HALF = 0.5  # load


class Literature(NamedTuple):
    """What is known of a quantity: an interval that holds it, how that is printed, and where it is from."""

    low: float
    high: float
    printed: str
    source: str


class Row(NamedTuple):
    """A row of the table: a number, which output of which quantity it is, at which controls, and what is known of it."""

    key: str
    symbol: str
    quantity: str
    controls: dict[str, Any]
    output: str = "value"
    literature: Literature | None = None

    @property
    def request(self) -> tuple[str, tuple[tuple[str, Any], ...]]:
        """What is asked of the engine; rows may share it."""
        return self.quantity, tuple(self.controls.items())

    @property
    def command(self) -> str:
        """The command that prints it."""
        return command(self.quantity, **self.controls)


def _known(value: float, half: float, printed: str, source: str) -> Literature:
    return Literature(value - half, value + half, printed, source)


def _capacity(margin: float, low: float, high: float) -> Row:
    literature = Literature(low, high, f"[{low:.9f}, {high:.9f}]", _ENCLOSURE)
    return Row(f"capacity at {margin}", f"α_c(κ = {margin})", "capacity", {"margin": margin}, literature=literature)


def _at_half(quantity: str, symbol: str) -> Row:
    return Row(quantity.replace("-", "_"), f"{symbol}(α = {_HALF})", quantity, {"alpha": _HALF})


def _replicas(count: float, literature: Literature | None = None) -> Row:
    """Load up to which groups of so many solutions exist at every mutual distance."""
    key, symbol = f"robust capacity, {count:g} replicas", f"y = {count:g} replicas at any distance up to"
    return Row(key, symbol, "robust-capacity", {"replicas": count}, literature=literature)


def _symmetric(count: float, groups: float, literature: Literature) -> Row:
    """The same in a symmetric interval of one deviation, of one group or of several with two levels of overlaps."""
    of = f"{count:g} replicas" if groups == 1 else f"{groups:g} groups of {count:g} replicas"
    controls = {"replicas": count, "groups": groups, "margin": 1.0, "constraint": "symmetric"}
    key, symbol = f"robust capacity, {of}, symmetric", f"|Δ| ≤ 1: {of} at any distances up to"
    return Row(key, symbol, "robust-capacity", controls, literature=literature)


def _committee(activation: str) -> tuple[Row, ...]:
    """Capacity, alpha'_U and the distance of its fold for the tree committee of that activation."""

    def row(key: str, symbol: str, quantity: str, output: str) -> Row:
        controls = {"architecture": "committee", "activation": activation}
        return Row(f"{key}, {activation} committee", f"{symbol}, {activation} committee", quantity, controls, output)

    return (
        row("capacity", "α_c(κ = 0)", "capacity", "value"),
        row("alpha_u", "α′_U", "alpha-u", "value"),
        row("alpha_u distance", "d of the fold at α′_U", "alpha-u", "distance"),
    )


_AT_CAPACITY = {"alpha": 0.83307859973957923}

ROWS = (
    Row(
        *("capacity", "α_c(κ = 0)", "capacity", {}),
        literature=_known(0.833078599, 1e-9, "0.833078599…", _KRAUTH_MEZARD),
    ),
    Row(
        *("overlap at capacity", "q at α_c(0)", "entropy", _AT_CAPACITY, "overlap"),
        _known(0.56394908, 1e-8, "0.56394908", _KRAUTH_MEZARD),
    ),
    Row(
        *("conjugate at capacity", "q̂ at α_c(0)", "entropy", _AT_CAPACITY, "conjugate"),
        _known(2.57635132, 1e-8, "2.57635132", _KRAUTH_MEZARD),
    ),
    _capacity(0.05, 0.781073068, 0.781074776),
    _capacity(0.0995, 0.733478513, 0.733480205),
    _capacity(0.13, 0.705932217, 0.705933898),
    _capacity(-0.05, 0.889408031, 0.889409783),
    _capacity(-0.45, 1.557652103, 1.557654133),
    _at_half("kappa-min", "κ_min"),
    _at_half("kappa-u", "κ_u"),
    _at_half("kappa-max", "κ_max"),
    Row("alpha_u", "α′_U", "alpha-u", {}, literature=Literature(*PAPER_ALPHA_U, "about 0.76 (paper)", _PAPER)),
    Row("alpha_u margin", "κ_max(α′_U)", "alpha-u", {}, "reference_margin"),
    Row("alpha_u distance", "d of the fold at α′_U", "alpha-u", {}, "distance"),
    Row("robust alpha_u", "α_U of infinitely many replicas", "robust-alpha-u", {}),
    Row(
        *("centred alpha_u", "α_U of the densest regions", "centred-alpha-u", {}),
        literature=_known(PAPER_LARGE_DEVIATIONS, 0.005, "about 0.77 (in the paper; 0.7764 in 2511.01037)", _PAPER),
    ),
    _replicas(math.inf),
    _replicas(4.0, _known(0.784, 0.0005, "0.784 (dense clusters, a few replicas)", _DENSE)),
    _symmetric(4.0, 1.0, _known(1.6578, 5e-5, "1.6578", _STOJNIC)),
    _symmetric(4.0, 3.0, Literature(1.6218, 1.6219, "1.6219 (whole numbers), 1.6218 (others)", _STOJNIC)),
    *(row for activation in names.words(names.Activation) for row in _committee(activation)),
)

COMMANDS = {row.key: row.command for row in ROWS}


def measure(row: Row, found: xr.Dataset) -> dict[str, Any]:
    """``value``, ``error_estimate`` and ``result`` of one row.

    The error estimate of a margin or distance that comes with another threshold is not known: null. That of an overlap is
    the difference from the answer with half as many nodes again.
    """
    value, error = float(found[row.output]), float(found.error_estimate) if row.output == "value" else math.nan
    if row.quantity == "entropy":
        functional = fmjax.Equilibrium(fmjax.Perceptron()).resized(1.5)
        finer = fmjax.solve(functional, alpha=row.controls["alpha"]).order
        error = 1.5 * abs(float(finer.q if row.output == "overlap" else finer.q_hat) - value) + 1e-13
    return {"value": value, "error_estimate": error, "result": str(found.result.item())}


def measure_all(engine: Engine) -> dict[str, dict[str, Any]]:
    """Every row by its key: sweeps of one point, several at a time, as most of their time is the compiler's."""
    asked = list(dict.fromkeys(row.request for row in ROWS))
    with ThreadPoolExecutor(engine.at_once) as pool, ending(pool):
        answers = pool.map(lambda request: engine.grid(request[0], **dict(request[1])), asked)
        names = bar([quantity for quantity, _ in asked], "thresholds")
        found = {request: answer for request, _, answer in zip(asked, names, answers, strict=True)}
    return {row.key: measure(row, found[row.request]) for row in ROWS}


def _number(value: float | None, error: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    digits = 6 if not error or not math.isfinite(error) else min(14, max(2, math.ceil(-math.log10(error)) + 1))
    return f"{value:.{digits}f}"


def _agreement(row: dict[str, Any], literature: Literature | None) -> str:
    if literature is None:
        return "–"
    value, error = row["value"], row["error_estimate"]
    if value is None or not math.isfinite(value):
        return "no value"
    slack = error if error is not None and math.isfinite(error) else 0.0
    return "yes" if literature.low - slack <= value <= literature.high + slack else "no"


def table(rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the report, in order: numbers as they are and as they are printed."""
    lines = []
    for asked in ROWS:
        row = rows[asked.key]
        value, error, literature = row["value"], row["error_estimate"], asked.literature
        known = error is not None and math.isfinite(error)
        lines.append(
            {
                "quantity": asked.key,
                "symbol": asked.symbol,
                **row,
                "printed": _number(value, error),
                "printed_error": f"{error:.0e}" if known else "–",
                "literature": literature.printed if literature else None,
                "source": literature.source if literature else None,
                "agreement": _agreement(row, literature),
                "command": asked.command,
                "converged": row["result"] == CONVERGED,
            }
        )
    return lines


def versions() -> dict[str, str]:
    """Versions of what took part."""
    packages = ("fmjax", "jax", "jaxlib", "equinox", "flax", "optax", "numpy", "scipy", "matplotlib", "xarray")
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in packages}


def embedded(path: Path) -> str:
    """A PNG as the address of itself."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def render(content: dict[str, Any]) -> str:
    """HTML of the report from ``statements``, ``rows``, ``figures``, ``versions`` and ``settings``."""
    source = (resources.files("fmjax.reproduce") / "report.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(source).render(content)
