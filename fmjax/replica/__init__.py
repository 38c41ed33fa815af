"""Free-entropy functionals and their order parameters."""

from fmjax.replica.equilibrium import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.replica.franz_parisi import FranzParisi, FranzParisiControls, FranzParisiOrder
from fmjax.replica.functional import Functional, saddle_system

__all__ = [
    "Equilibrium",
    "EquilibriumControls",
    "EquilibriumOrder",
    "FranzParisi",
    "FranzParisiControls",
    "FranzParisiOrder",
    "Functional",
    "saddle_system",
]
