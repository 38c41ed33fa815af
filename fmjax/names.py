"""The words for parts of a model, on the command line and in sweeps: here, because to list them must not import JAX."""

from enum import StrEnum

__all__ = ["Activation", "Architecture", "Constraint", "Task", "Weights", "words"]


class Activation(StrEnum):
    """Of the hidden units of a committee."""

    SIGN = "sign"
    RELU = "relu"
    LEAKY_RELU = "leaky-relu"
    ERF = "erf"
    TANH = "tanh"
    GELU = "gelu"


class Architecture(StrEnum):
    """What weights are wired into."""

    PERCEPTRON = "perceptron"
    COMMITTEE = "committee"


class Constraint(StrEnum):
    """What a pattern asks for."""

    MARGIN = "margin"
    SYMMETRIC = "symmetric"


class Task(StrEnum):
    """Where labels come from."""

    STORAGE = "storage"
    TEACHER_STUDENT = "teacher-student"


class Weights(StrEnum):
    """The prior of a weight."""

    BINARY = "binary"
    SPHERICAL = "spherical"


def words(kind: type[StrEnum]) -> tuple[str, ...]:
    """All of a kind."""
    return tuple(word.value for word in kind)
