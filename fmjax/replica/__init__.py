"""Free-entropy functionals and their order parameters."""

from fmjax.replica.centre_site import CentredEnsembleOrder
from fmjax.replica.centred_ensemble import CentredEnsemble
from fmjax.replica.clusters import Broken, Clusters
from fmjax.replica.equilibrium import Equilibrium, EquilibriumControls, EquilibriumOrder
from fmjax.replica.franz_parisi import FranzParisi
from fmjax.replica.franz_parisi_order import FranzParisiControls, FranzParisiOrder
from fmjax.replica.functional import Functional, Saddle
from fmjax.replica.one_step import OneStep
from fmjax.replica.robust_ensemble import RobustEnsemble, RobustEnsembleControls, RobustEnsembleOrder
from fmjax.replica.stability import replicon
from fmjax.replica.ultrametric_ensemble import UltrametricEnsemble, UltrametricOrder

__all__ = [
    "Broken",
    "CentredEnsemble",
    "CentredEnsembleOrder",
    "Clusters",
    "Equilibrium",
    "EquilibriumControls",
    "EquilibriumOrder",
    "FranzParisi",
    "FranzParisiControls",
    "FranzParisiOrder",
    "Functional",
    "OneStep",
    "RobustEnsemble",
    "RobustEnsembleControls",
    "RobustEnsembleOrder",
    "Saddle",
    "UltrametricEnsemble",
    "UltrametricOrder",
    "replicon",
]
