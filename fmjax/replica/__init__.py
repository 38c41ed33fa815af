"""Free-entropy functionals and their order parameters."""

from fmjax.replica.equilibrium import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.replica.franz_parisi import FranzParisi
from fmjax.replica.franz_parisi_order import FranzParisiControls, FranzParisiOrder
from fmjax.replica.functional import Expansion, Functional, ReplicaSymmetric, expand
from fmjax.replica.one_step import Clusters, OneStep
from fmjax.replica.robust_ensemble import RobustEnsemble, RobustEnsembleControls, RobustEnsembleOrder
from fmjax.replica.stability import replicon

__all__ = [
    "Clusters",
    "Equilibrium",
    "EquilibriumControls",
    "EquilibriumOrder",
    "Expansion",
    "FranzParisi",
    "FranzParisiControls",
    "FranzParisiOrder",
    "Functional",
    "OneStep",
    "ReplicaSymmetric",
    "RobustEnsemble",
    "RobustEnsembleControls",
    "RobustEnsembleOrder",
    "expand",
    "replicon",
]
