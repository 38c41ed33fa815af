"""Single instances of binary networks: belief propagation, focusing, and the entropy around what it finds.

An `Instance` holds the patterns, of one problem or of a batch, for a perceptron or a `Committee`. `belief_propagation` gives
the mean of every weight over its solutions, `bethe_entropy` their number; `focusing` looks for a solution, and
`local_entropy` counts those around it. All run on any device, in float32 unless told otherwise, and say in ``result`` how
they ended. `FocusingClassifier` is focusing as an estimator of scikit-learn.
"""

from typing import TYPE_CHECKING, Any

from fmjax.message_passing.belief_propagation import Beliefs, belief_propagation
from fmjax.message_passing.bethe import bethe_entropy, bethe_free_entropy
from fmjax.message_passing.committee import Committee
from fmjax.message_passing.focusing import Focused, focusing
from fmjax.message_passing.instance import Instance
from fmjax.message_passing.local_entropy import LocalEntropy, local_entropy
from fmjax.message_passing.messages import AMP, Edges
from fmjax.message_passing.polarisation import Polarisation, polarisation
from fmjax.message_passing.schedules import PseudoReinforcement, Reinforcement, Schedule, Scoping

if TYPE_CHECKING:
    from fmjax.message_passing.classifier import FocusingClassifier

__all__ = [
    "AMP",
    "Beliefs",
    "Committee",
    "Edges",
    "Focused",
    "FocusingClassifier",
    "Instance",
    "LocalEntropy",
    "Polarisation",
    "PseudoReinforcement",
    "Reinforcement",
    "Schedule",
    "Scoping",
    "belief_propagation",
    "bethe_entropy",
    "bethe_free_entropy",
    "focusing",
    "local_entropy",
    "polarisation",
]


def __getattr__(name: str) -> Any:
    if name == "FocusingClassifier":  # scikit-learn takes seconds to import: only where it is used
        from fmjax.message_passing.classifier import FocusingClassifier  # noqa: PLC0415

        return FocusingClassifier
    raise AttributeError(f"module 'fmjax.message_passing' has no attribute {name!r}; it offers {', '.join(__all__)}")
