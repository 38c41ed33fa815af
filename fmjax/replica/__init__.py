"""Free-entropy functionals and their order parameters."""

from fmjax.replica.equilibrium import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.replica.franz_parisi import FranzParisi
from fmjax.replica.franz_parisi_order import FranzParisiControls, FranzParisiOrder
from fmjax.replica.functional import Expansion, Functional, ReplicaSymmetric, expand
from fmjax.replica.one_step import OneStepControls, OneStepEquilibrium, OneStepOrder
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
    "OneStepControls",
    "OneStepEquilibrium",
    "OneStepOrder",
    "ReplicaSymmetric",
    "RobustEnsemble",
    "RobustEnsembleControls",
    "RobustEnsembleOrder",
    "expand",
    "replicon",
]
