"""The figures: a row for each, its module and what it shows. To list them imports no JAX."""

import pkgutil
from typing import Any, NamedTuple

__all__ = ["FIGURES"]


class Listed(NamedTuple):
    """A figure.

    Attributes:
        place: of the module, or object, with its ``settings``, ``compute`` and ``draw``, in this package.
        about: what it shows, for help texts.
    """

    place: str
    about: str

    def load(self) -> Any:
        """The module, or object."""
        return pkgutil.resolve_name(f"{__package__}.{self.place}")


FIGURES = {
    "2": Listed("typical_distance", "distance of typical solutions against margin"),
    "3": Listed("franz_parisi", "Franz-Parisi entropy against distance, one curve per phase"),
    "4": Listed("at_kappa_max:PERCEPTRON", "the same at kappa_max(alpha), and its slope, around alpha'_U"),
    "5": Listed("entropy", "entropy against margin, and kappa_max against alpha"),
    "6": Listed("at_kappa_max:RELU", "figure 4 for tree committees of ReLU units"),
    "7": Listed("at_kappa_max:SIGN", "figure 4 for tree committees of sign units"),
    "8": Listed("deep_networks", "binary networks on images: error, overlap, local energy"),
    "phase-diagram": Listed("phase_diagram", "kappa_min, kappa_u, kappa_max, alpha'_U against load and margin"),
    "one-step": Listed("one_step", "one step of replica-symmetry breaking, robust ensemble"),
    "ensembles": Listed("ensembles", "local entropy of typical and of dense regions, instances"),
    "references": Listed("references", "local entropy around minima of the cross-entropy"),
    "symmetric": Listed("symmetric", "phases of the symmetric perceptron, against margin and load"),
}
