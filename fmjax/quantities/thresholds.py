"""Critical loads, margins and temperatures: a row for each function of `fmjax.thresholds`."""

from collections.abc import Mapping

from fmjax.quantities.parts import (
    ALPHA,
    CONTINUOUS,
    DISCRETE,
    ENERGY,
    GROUPS,
    GROUPS_OF,
    LEARNABLE,
    LOSS_MARGIN,
    MARGIN,
    MODEL,
    MODEL_OF,
    RANDOM_LABELS,
    REPLICAS,
    REPLICON,
    SOFT,
    SOLVED,
    WITH_MODEL,
    bound,
)
from fmjax.quantities.quantity import Control, Late, Output, Quantity

__all__ = ["THRESHOLDS"]


def _threshold(
    function: str,
    about: str,
    controls: Mapping[str, Control],
    details: str,
    example: str,
    block: int,
    seconds: float,
    **more: Output,
) -> Quantity:
    """The row of a function of `fmjax.thresholds`; ``controls`` may narrow those that choose a model.

    The function takes the model and the controls that are no part of it, in their order; ``example`` are options of its
    command. What it says ``more`` than others: `fmjax.quantities.solved.threshold`.
    """
    arguments = tuple(name for name in controls if name not in (*SOFT, "margin"))
    return Quantity(
        about,
        {**controls, **MODEL, **controls},
        {
            "value": Output("1", about),  # loads, margins in units of the stability, inverse temperatures
            "error_estimate": bound(units="1"),
            "distance": Output("1", "Hamming distance per weight at which it happens"),
            "replicon": Output("1", f"of typical solutions, {REPLICON.about}; else NaN"),
            **more,
        },
        Late(f"{SOLVED}:threshold", (f"fmjax.thresholds:{function}", arguments)),
        block=block,
        seconds=seconds,
        check=GROUPS_OF if "replicas" in controls else MODEL_OF,
        prepare=WITH_MODEL,
        details=details,
        example=f"threshold {function.replace('_', '-')} {example}".rstrip(),
    )


THRESHOLDS: dict[str, Quantity] = {
    "capacity": _threshold(
        "capacity",
        "alpha_c(K), the largest load with solutions",
        {"margin": MARGIN},
        """There the entropy of typical solutions of margin K vanishes; that of
        spherical weights has no bound there. A teacher's own solution does not
        count: at margin 0 this is perfect-generalisation.""",
        "--margin 0.1",
        64,
        0.01,
    ),
    "one-step-capacity": _threshold(
        "one_step_capacity",
        "capacity with one step of symmetry breaking",
        {"margin": MARGIN, **CONTINUOUS, **RANDOM_LABELS},
        """Of spherical weights, whose replica symmetry is unstable at capacity for
        negative margins and nonlinear units.""",
        "--weights spherical --margin -1",
        64,
        0.05,
    ),
    "kappa-max": _threshold(
        "kappa_max",
        "kappa_max(alpha), the largest possible margin",
        {"alpha": ALPHA, **DISCRETE},
        "There the entropy of typical solutions at load alpha vanishes.",
        "--alpha 0.5",
        64,
        0.01,
    ),
    "kappa-min": _threshold(
        "kappa_min",
        "kappa_min(alpha): above it phi(d) >= 0",
        {"alpha": ALPHA, "margin": MARGIN, **DISCRETE},
        """The margin of the reference at which the interior minimum of the local
        entropy phi(d) of solutions of margin K touches zero.""",
        "--alpha 0.5",
        2,
        3.0,
    ),
    "kappa-u": _threshold(
        "kappa_u",
        "kappa_u(alpha): above it phi(d) is monotonic",
        {"alpha": ALPHA, "margin": MARGIN, **DISCRETE},
        """The margin of the reference from which on the local entropy phi(d) of
        solutions of margin K rises all the way up to its maximum.""",
        "--alpha 0.5",
        2,
        3.0,
    ),
    "alpha-u": _threshold(
        "alpha_u",
        "alpha'_U, the load at which kappa_u = kappa_max",
        {"margin": MARGIN, **DISCRETE},
        """Up to it, phi(d) around a solution of largest margin rises monotonically. It
        takes a quarter of a minute, most of it compilation.""",
        "",
        1,
        3.0,
        reference_margin=Output("1", "margin of the reference there, kappa_max"),
    ),
    "robust-alpha-u": _threshold(
        "robust_alpha_u",
        "alpha_U of infinitely many replicas",
        {"margin": MARGIN, **DISCRETE, **RANDOM_LABELS},
        """Up to it, the entropy of solutions that lie close to each other grows with
        their distance, in an ansatz of large-deviation analyses.""",
        "",
        1,
        0.5,
    ),
    "centred-alpha-u": _threshold(
        "centred_alpha_u",
        "alpha_U of the densest regions that exist",
        {"margin": MARGIN, **DISCRETE, **RANDOM_LABELS},
        """Up to it, the local entropy around the best of all weights, of typical
        numbers of replicas (fmjax robust-ensemble --centre free), rises all the way
        to large distances; beyond, dense regions are islands. In print: about 0.77.""",
        "",
        1,
        3.0,
    ),
    "centred-fold": _threshold(
        "centred_fold",
        "load at which the densest regions begin to fold",
        {"margin": MARGIN, **DISCRETE, **RANDOM_LABELS},
        """Just below centred-alpha-u the curve of the local entropy around the best
        centres begins to fold: at some distances it has three values.""",
        "",
        1,
        3.0,
    ),
    "robust-capacity": _threshold(
        "robust_capacity",
        "load up to which replicas exist at any distance",
        {"margin": MARGIN, "replicas": REPLICAS, "groups": GROUPS, **DISCRETE},
        """Beyond it, there are no groups of Y solutions at some mutual distance. Of G
        groups, distance is that inside one, and that between them is another.""",
        "--replicas 4",
        1,
        0.5,
    ),
    "perfect-generalisation": _threshold(
        "perfect_generalisation",
        "load above which only the teacher is left",
        {**DISCRETE, **LEARNABLE},
        """R is the overlap of a solution with the teacher. There the entropy of
        solutions with R < 1 falls to that of R = 1; they live on, metastable, up to
        their spinodal.""",
        "--task teacher-student",
        1,
        0.01,
    ),
    "spinodal": _threshold(
        "spinodal",
        "load up to which other solutions trap a search",
        {**DISCRETE, **LEARNABLE},
        """There the branch of solutions with an overlap R < 1 with the teacher ends.
        Beyond perfect-generalisation it is metastable.""",
        "--task teacher-student",
        1,
        0.01,
    ),
    "inverse-temperature": _threshold(
        "inverse_temperature",
        "inverse temperature at which the mean loss is E",
        {"alpha": ALPHA, "energy": ENERGY, "margin": LOSS_MARGIN, **SOFT},
        """The losses are those of fmjax thermodynamics, which goes the other way. It is
        looked for between 1e-4 and 1e4; of a power, it is that power.""",
        "--alpha 0.5 --energy 0.01 --loss temperature",
        8,
        0.15,
    ),
    "freezing": _threshold(
        "freezing",
        "inverse temperature of the least mean loss",
        {"alpha": ALPHA, "margin": LOSS_MARGIN, **SOFT, **DISCRETE},
        """There the entropy of weights drawn with a loss (fmjax thermodynamics)
        vanishes, as that of solutions does at kappa-max. Where solutions have no
        loss, as below capacity those of temperature and hinge, it never does.""",
        "--alpha 0.5 --loss cross-entropy",
        8,
        0.13,
    ),
}
