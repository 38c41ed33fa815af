"""Free-entropy functionals and their order parameters."""

from fmjax.replica.equilibrium import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.replica.franz_parisi import FranzParisi, FranzParisiControls, FranzParisiOrder
from fmjax.replica.functional import Expansion, Functional, ReplicaSymmetric, expand
from fmjax.replica.robust_ensemble import RobustEnsemble, RobustEnsembleControls, RobustEnsembleOrder
from fmjax.replica.stability import replicon

__all__ = [
    "Equilibrium",
    "EquilibriumControls",
    "EquilibriumOrder",
    "Expansion",
    "FranzParisi",
    "FranzParisiControls",
    "FranzParisiOrder",
    "Functional",
    "ReplicaSymmetric",
    "RobustEnsemble",
    "RobustEnsembleControls",
    "RobustEnsembleOrder",
    "expand",
    "replicon",
]
