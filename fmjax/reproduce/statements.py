"""What the paper says, and whether the numbers of a run say it too.

A statement names the datasets and thresholds that it needs, and a function that reads them: what was found, with its
error, and whether the statement holds. Verdicts are computed; none is written here.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import xarray as xr

from fmjax.reproduce import reading_experiments as experiments, reading_theory as theory
from fmjax.reproduce.evidence import Absent, Found, Run

AGREES, DEVIATES, ABSENT = "agrees", "deviates", "not in this run"


class Statement(NamedTuple):
    """A sentence of the paper, where it stands, what decides it, and the figures and thresholds which that reads."""

    claim: str
    place: str
    judge: Callable[[Run], Found]
    figures: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()


_PHASES = "Figure 3"
_NETWORKS = "Figure 8"
_BEYOND = "Beyond the paper"

STATEMENTS = (
    Statement("Solutions of larger margin lie closer together, at every load.", "Figure 2", theory.closer, ("2",)),
    Statement(
        "Solutions of larger margin are exponentially fewer, and there are none beyond κ_max(α).",
        *("Figure 5", theory.rarer, ("5",)),
    ),
    Statement(
        "κ_max falls with the load and vanishes at the capacity, α_c ≈ 0.833.",
        *("Figure 5", theory.largest_margin, ("5",), ("capacity",)),
    ),
    Statement(
        "Three margins of the reference separate the phases: 0 < κ_min < κ_u < κ_max.",
        *(_PHASES, theory.ordered, (), ("kappa_min", "kappa_u", "kappa_max")),
    ),
    Statement("κ̃ = 0: the reference is isolated, φ < 0 around d = 0.", _PHASES, theory.isolated, ("3",)),
    Statement("Any κ̃ > 0: there are solutions close to the reference, φ > 0 near d = 0.", _PHASES, theory.near, ("3",)),
    Statement("0 < κ̃ < κ_min: φ < 0 in an interval of distances.", _PHASES, theory.gap, ("3",)),
    Statement("κ_min < κ̃ < κ_u: φ is positive but not monotonic.", _PHASES, theory.not_monotonic, ("3",)),
    Statement("κ̃ > κ_u: φ rises monotonically up to its maximum.", _PHASES, theory.monotonic, ("3",)),
    Statement(
        "Whatever the reference, the maximum of φ is the entropy of typical solutions.",
        *(_PHASES, theory.same_maximum, ("3", "2")),
    ),
    Statement(
        "The larger the margin of the reference, the more solutions lie close to it.",
        *(_PHASES, theory.denser, ("3",)),
    ),
    Statement("Focusing BP finds solutions of random instances at α = 0.5.", _PHASES, experiments.focusing_solves, ("3",)),
    Statement(
        "The solutions that focusing BP finds lie in flat regions: the entropy around them rises from d = 0.",
        *(_PHASES, experiments.found_in_flat_regions, ("3",)),
    ),
    Statement(
        "At small distances (d < 0.1) the entropy around them lies on the curve of κ̃ = κ_max, or slightly above.",
        *(_PHASES, experiments.above_kappa_max, ("3",)),
    ),
    Statement(
        "Around references of the largest margin φ is monotonic up to a load α′_U, and not beyond.",
        *("Figure 4", theory.loads("4", "alpha_u"), ("4",), ("alpha_u", "capacity")),
    ),
    Statement("α′_U ≈ 0.76.", "Figure 4", theory.alpha_u, ("4",), ("alpha_u", "alpha_u distance")),
    Statement(
        "α′_U lies below the load α_U ≈ 0.77 at which a large-deviation analysis loses the flat regions.",
        *("Text", theory.below_large_deviations, (), ("alpha_u",)),
    ),
    Statement(
        "One step of replica-symmetry breaking, which could not be solved at small d, does not change φ > 0.",
        *("Text", theory.symmetric_is_right, ("one-step",)),
    ),
    Statement(
        "κ_min < κ_u < κ_max at every load below α′_U, where κ_u ends.",
        *("Text", theory.phase_diagram, ("phase-diagram",)),
    ),
    Statement(
        "Tree committees of ReLU units: φ at κ_max is monotonic up to a load α′_U, and not beyond.",
        *("Figure 6", theory.loads("6", "alpha_u, relu committee"), ("6",)),
        ("alpha_u, relu committee", "capacity, relu committee"),
    ),
    Statement(
        "Tree committees of sign units: φ at κ_max is monotonic up to a load α′_U, and not beyond.",
        *("Figure 7", theory.loads("7", "alpha_u, sign committee"), ("7",)),
        ("alpha_u, sign committee", "capacity, sign committee"),
    ),
    Statement(
        "Tree committees of ReLU units: at small distances (d < 0.1) the entropy around solutions that focusing BP finds "
        "lies at most 0.002 below the curve of κ̃ = κ_max and at most 0.01 above.",
        *(f"{_BEYOND}, figure 6", experiments.committees("6", least=-0.002, most=0.01), ("6",)),
    ),
    Statement(
        "Tree committees of sign units: there (0.05 < d < 0.1) it lies above the curve of κ̃ = κ_max, by 0.02 to 0.05: "
        "solutions that focusing BP finds are none of its typical references.",
        *(f"{_BEYOND}, figure 7", experiments.committees("7", least=0.02, most=0.05, beyond=0.05), ("7",)),
    ),
    Statement(
        "Around solutions that focusing BP finds (α = 0.6, 0.02 < d < 0.1) the entropy lies between that around typical "
        "solutions of margin κ_max and that around the best of all weights.",
        *(f"{_BEYOND}, figure ensembles", experiments.between_typical_and_densest, ("ensembles",)),
    ),
    Statement(
        "Minima of the cross-entropy that are free of errors (α = 0.5) lie in denser regions than typical solutions of "
        "margin κ_max: φ is larger around them at 0.02 < d < 0.1.",
        *(f"{_BEYOND}, figure references", theory.minima_are_flatter, ("references",)),
    ),
    Statement(
        "Multilayer networks learn up to a threshold P, with errors beyond it.",
        *(_NETWORKS, experiments.networks(experiments.learn), ("8",)),
    ),
    Statement(
        "As P grows to the threshold their solutions come closer together, and stay far from identical.",
        *(_NETWORKS, experiments.networks(experiments.approach), ("8",)),
    ),
    Statement(
        "At the threshold the minima are flat: the error starts slowly as weights are flipped.",
        *(_NETWORKS, experiments.networks(experiments.flat), ("8",)),
    ),
)


def _command(statement: Statement, commands: Mapping[str, str], flag: str) -> str:
    if statement.figures:
        return f"fmjax figure {statement.figures[0]}{flag} --out DIR"
    return commands[statement.thresholds[-1]]


def judge(
    datasets: Mapping[str, xr.Dataset], rows: Mapping[str, dict[str, Any]], commands: Mapping[str, str], flag: str = ""
) -> list[dict[str, Any]]:
    """Every statement with what this run found.

    Args:
        datasets: of the figures that are in the run.
        rows: thresholds, as the report keeps them: ``value``, ``error_estimate``, ``result``.
        commands: that compute each threshold.
        flag: of the run, for commands that make figures.

    Returns:
        ``statement``, ``place``, ``number``, ``error`` (both as text), ``verdict``, ``reason`` and ``command`` of each; the
        verdict is ``agrees``, ``deviates``, or ``not in this run`` with its reason.
    """
    lines = []
    for statement in STATEMENTS:
        try:
            found = _read(statement, datasets, rows)
        except Absent as missing:
            found = Found(missing.number, None, str(missing))
        verdict = ABSENT if found.holds is None else AGREES if found.holds else DEVIATES
        lines.append(
            {
                "statement": statement.claim,
                "place": statement.place,
                "number": found.number,
                "error": found.error,
                "verdict": verdict,
                "reason": found.reason,
                "command": _command(statement, commands, flag),
            }
        )
    return lines


def _read(statement: Statement, datasets: Mapping[str, xr.Dataset], rows: Mapping[str, dict[str, Any]]) -> Found:
    for name in statement.figures:
        if name not in datasets:
            raise Absent(f"figure {name} is not part of it")
    for key in statement.thresholds:
        if key not in rows:
            raise Absent(f"{key} is not part of it")
        if rows[key]["value"] is None or rows[key]["value"] != rows[key]["value"]:
            raise Absent(f"{key}: {rows[key]['result']}")
    return statement.judge(Run(datasets, rows))
