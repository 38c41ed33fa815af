"""What is learned: weights x architecture x constraint."""

from fmjax.models.architecture import Architecture, PerceptronArchitecture
from fmjax.models.constraint import Constraint, Margin, SymmetricMargin
from fmjax.models.model import Model, Perceptron
from fmjax.models.weights import Binary, Spherical, Weights

__all__ = [
    "Architecture",
    "Binary",
    "Constraint",
    "Margin",
    "Model",
    "Perceptron",
    "PerceptronArchitecture",
    "Spherical",
    "SymmetricMargin",
    "Weights",
]
