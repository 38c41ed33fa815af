from . import (
    message_passing as message_passing,
    models as models,
    networks as networks,
    quadrature as quadrature,
    replica as replica,
    reproduce as reproduce,
    solvers as solvers,
    special as special,
    sweeps as sweeps,
    thresholds as thresholds,
)
from .models import (
    Binary as Binary,
    CrossEntropy as CrossEntropy,
    Hermite as Hermite,
    Hinge as Hinge,
    LeakyReLU as LeakyReLU,
    Margin as Margin,
    Model as Model,
    Perceptron as Perceptron,
    Power as Power,
    Spherical as Spherical,
    SymmetricMargin as SymmetricMargin,
    Temperature as Temperature,
    TreeCommittee as TreeCommittee,
)
from .replica import (
    CentredEnsemble as CentredEnsemble,
    Equilibrium as Equilibrium,
    FranzParisi as FranzParisi,
    RobustEnsemble as RobustEnsemble,
)
from .solvers import clusters as clusters, curve as curve, solve as solve, thermodynamics as thermodynamics
from .solvers.ascent import climb as climb
from .sweeps import open as open, sweep as sweep  # noqa: A004  (after xarray's open_dataset and open_zarr)

__version__: str
