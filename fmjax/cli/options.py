"""Options that several commands share, and the configuration file that may hold them."""

import inspect
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

import fmjax
from fmjax.cli.describing import sentence
from fmjax.names import Activation, Architecture, Constraint, Loss, Task, Weights
from fmjax.quantities import Control, Quantity
from fmjax.quantities.parts import ALPHA, BETA, LOSS_MARGIN, MARGIN, OF_TEACHER, REPLICAS, SOFT


def _read_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make each key of the file the default of the flag of the same name, so that flags win."""
    if path is None:
        return None
    try:
        keys = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin files with a mark
    except OSError as error:
        raise typer.BadParameter(f"cannot read {str(path)!r}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{str(path)!r} is not TOML: {error}") from None
    flags = {
        option.removeprefix("--"): parameter
        for parameter in ctx.command.params
        if parameter.name not in {"config", "help"}
        for option in parameter.opts
    }
    defaults = {}
    for key, value in keys.items():
        flag = flags.get(key.replace("_", "-"))
        if flag is None:
            allowed = ", ".join(sorted(flags))
            raise typer.BadParameter(f"{str(path)!r} holds the unknown key {key!r}; {ctx.info_name} takes {allowed}")
        repeated, switch = getattr(flag, "multiple", False), getattr(flag, "is_flag", False)
        values = value if repeated and isinstance(value, list) else [value]
        if not all(isinstance(item, str | int | float) and isinstance(item, bool) == switch for item in values):
            kind = "true or false" if switch else "a number or a word" + ", or a list of them" * repeated
            raise typer.BadParameter(f"{str(path)!r}: {key!r} must be {kind}, not {value!r}")
        # As text, so that a value in a file is checked in the same way, with the same message, as one behind a flag.
        texts = values if switch else [str(item) for item in values]
        defaults[flag.name] = texts if repeated else texts[0]
    ctx.default_map = defaults
    return path


def number(text: str | float) -> float:
    """A finite number; what range it may lie in, the theory says."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"{text!r} is not a finite number")
    return value


def _replicas(text: str | float, others: str = "or inf") -> float:
    """A number of replicas larger than 1, or infinity; how many at most, the functional says."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 1.0:
        raise typer.BadParameter(f"{text!r} is not a number of replicas: it must be larger than 1, {others}; try 3")
    return value


def directory(text: str) -> Path:
    """A place to write to, which an empty word, of a variable that was not set, is not: `Path` would make it a dot."""
    if not text:
        raise typer.BadParameter("it is empty, as a variable of the shell that was not set; this directory is a dot.")
    return Path(text)


AlphaOption = Annotated[float, typer.Option("--alpha", metavar=ALPHA.symbol, parser=number, help=sentence(ALPHA))]
MarginOption = Annotated[
    float,
    typer.Option("--margin", metavar="K", parser=number, help="Margin kappa: every pattern's pre-activation is at least K."),
]
ModelMarginOption = Annotated[
    float | None,
    typer.Option("--margin", metavar="K", parser=number, help="Margin of the solutions; 0 unless given, 1 if symmetric."),
]
AnyReplicasOption = Annotated[
    Any,
    typer.Option(
        "--replicas",
        metavar=f"{REPLICAS.symbol}|typical",
        parser=lambda text: text if text == "typical" else _replicas(text, "inf, or typical"),
        help=sentence(REPLICAS).replace("or inf", "inf, or typical (with --centre)"),
    ),
]
ReplicasOption = Annotated[
    float, typer.Option("--replicas", metavar=REPLICAS.symbol, parser=_replicas, help=sentence(REPLICAS))
]
LossOption = Annotated[Loss, typer.Option("--loss", help=sentence(SOFT["loss"]))]
LossMarginOption = Annotated[
    float, typer.Option("--margin", metavar=LOSS_MARGIN.symbol, parser=number, help=sentence(LOSS_MARGIN))
]
BetaOption = Annotated[float | None, typer.Option("--beta", metavar=BETA.symbol, parser=number, help=sentence(BETA))]
SharpnessOption = Annotated[
    float | None,
    typer.Option("--sharpness", metavar="G", parser=number, help="Sharpness of a cross-entropy; 1 unless given."),
]
_SPECIAL = {
    MARGIN: ModelMarginOption,
    REPLICAS: ReplicasOption,
    SOFT["loss"]: LossOption,
    SOFT["sharpness"]: SharpnessOption,
}
_LATER = {MARGIN, SOFT["sharpness"]}  # what they are unless given depends on other options


def option(name: str, control: Control) -> inspect.Parameter:
    """A control as the parameter of a command."""
    flag = typer.Option(f"--{name.replace('_', '-')}", metavar=control.symbol, parser=number, help=sentence(control))
    default = None if control in _LATER else inspect.Parameter.empty if control.default is None else control.default
    annotation = _SPECIAL.get(control, Annotated[float, flag])
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def refuse(sentence: str, *given: Any) -> None:
    """Refuse a request by a sentence if any of these was ``given``."""
    if any(given):
        raise ValueError(sentence)


def loss_controls(loss: Loss, sharpness: float | None) -> dict[str, Any]:
    """The controls of a quantity that choose a loss: of cross-entropies alone a sharpness."""
    if loss is Loss.CROSS_ENTROPY:
        return {"loss": loss.value, "sharpness": 1.0 if sharpness is None else sharpness}
    refuse(f"--sharpness is that of a {Loss.CROSS_ENTROPY}: a {loss} has none", sharpness is not None)
    return {"loss": loss.value}


_OF_TEACHER = {*OF_TEACHER, "teacher_conjugate"}


@dataclass(frozen=True)
class Setup:
    """The options that every theory command takes: each field is one."""

    architecture: Annotated[
        Architecture, typer.Option("--architecture", help="One unit, or a tree committee of many hidden ones.")
    ] = Architecture.PERCEPTRON
    activation: Annotated[
        Activation | None, typer.Option("--activation", help="Hidden units; a committee needs them.", show_default=False)
    ] = None
    slope: Annotated[
        float | None,
        typer.Option("--slope", metavar="S", parser=number, help="Slope of leaky-relu below zero; 0.1 unless given."),
    ] = None
    weights: Annotated[Weights, typer.Option("--weights", help="+1 and -1, or real ones on a sphere.")] = Weights.BINARY
    constraint: Annotated[
        Constraint, typer.Option("--constraint", help="Stabilities: at least K, or at most K in absolute value.")
    ] = Constraint.MARGIN
    task: Annotated[Task, typer.Option("--task", help="Where labels come from: at random, or from a teacher.")] = (
        Task.STORAGE
    )
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE.toml",
            help="Read options from a TOML file with the same keys (alpha = 0.5); flags win.",
            callback=_read_config,
            is_eager=True,
        ),
    ] = None

    @property
    def teacher(self) -> bool:
        """Whether labels are those of a teacher."""
        return self.task is Task.TEACHER_STUDENT

    def model(self, margin: float | None = None) -> "fmjax.Model":
        """The model that these options describe, at a margin in units of the pre-activation."""
        return fmjax.models.named_model(**self._parts(), slope=self.slope, margin=margin, flag="--")

    def check(self, name: str, quantity: Quantity) -> None:
        """Refuse a model for which a quantity makes no sense."""
        for part, value in self.controls().items():
            words = quantity.controls[part].words
            if words and value not in words:
                raise ValueError(f"--{part} {value} has no {name}: add --{part} {words[0]}")

    def shown(self, found: dict[str, Any]) -> dict[str, Any]:
        """Without what is said of a teacher where there is none."""
        return {name: value for name, value in found.items() if self.teacher or name not in _OF_TEACHER}

    def controls(self) -> dict[str, Any]:
        """The controls of a quantity that choose its model."""
        return {"activation": "none"} | self.about()

    def _parts(self) -> dict[str, str]:
        parts = ("architecture", "activation", "weights", "constraint", "task")
        return {part: chosen.value for part in parts if (chosen := getattr(self, part)) is not None}

    def about(self) -> dict[str, str | float]:
        """What every answer of these options says about them."""
        return self._parts() | ({} if self.slope is None else {"slope": self.slope})


def values_of(name: str, single: list[float], span: str | None, ctx: typer.Context, example: str) -> list[float]:
    """Values of `--NAME` (repeated) or `--NAMEs START:STOP:COUNT`; of the two, a flag beats the file."""
    import numpy as np

    one, many = f"--{name}", f"--{name}s"
    if single and span:
        on_line = [
            (source := ctx.get_parameter_source(option)) is not None and source.name == "COMMANDLINE"
            for option in (name, f"{name}s")
        ]
        if on_line[0] == on_line[1]:
            raise ValueError(f"give either {one} or {many}, not both")
        single, span = (single, None) if on_line[0] else ([], span)
    if span is None:
        if not single:
            raise ValueError(f"no {name} given: use {one} X (again and again) or {many} START:STOP:COUNT")
        return single
    try:
        start, stop, count = span.split(":")
        first, last, points = number(start), number(stop), int(count)
    except (ValueError, typer.BadParameter):
        raise ValueError(f"{many} must be START:STOP:COUNT, like {example}, not {span!r}") from None
    if points < 1:
        raise ValueError(f"{many} {span!r} asks for {points} points; COUNT must be at least 1")
    return np.linspace(first, last, points).tolist()
