"""The public names, each with its docstring. The examples in docstrings run as doctests (`--doctest-modules`)."""

import ast
import importlib
import inspect
import re
import textwrap
import types
from pathlib import Path

import pytest

import fmjax

PUBLIC = ("fmjax", "fmjax.thresholds", "fmjax.message_passing", "fmjax.networks", "fmjax.sweeps")
NAMES = [(module, name) for module in PUBLIC for name in sorted(importlib.import_module(module).__all__)]
# Names for those who extend fmjax: documented, and free to change.
EXTENDED = ("special", "quadrature", "models", "replica", "solvers", "reproduce")
DOCUMENTED = NAMES + [
    (f"fmjax.{part}", name) for part in EXTENDED for name in importlib.import_module(f"fmjax.{part}").__all__
]
# Errors that a call further down raises, and which cannot occur here.
NEVER = {
    ("pair_overlaps", "ValueError"): "layers that are cut from one array have one shape",
    ("run", "TypeError"): "its models are models",
    ("fit", "TypeError"): "the instance and the schedule are of its own making",
}


every_name = pytest.mark.parametrize(("module", "name"), DOCUMENTED, ids=[f"{module}.{name}" for module, name in DOCUMENTED])


@every_name
def test_every_public_name_says_what_it_is(module, name):
    thing = getattr(importlib.import_module(module), name)
    if isinstance(thing, dict):  # a table explains itself where it is made
        return
    text = inspect.getdoc(thing) or ""
    assert text.split("\n")[0].endswith((".", ":", ",")) or text.split("\n\n")[0].rstrip().endswith("."), text
    assert "dataclass" not in text


def test_the_reference_has_a_page_for_every_part_and_leads_to_every_notebook():
    root = Path(__file__).resolve().parents[1]
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (root / ".github" / "pages").glob("*.rst")}
    modules = {re.search(r"automodule:: (\S+)", text)[1] for name, text in pages.items() if name != "index"}
    assert modules == {*PUBLIC, *(f"fmjax.{part}" for part in EXTENDED), "fmjax.quantities"}
    assert all(re.search(rf"^   {name}$", pages["index"], re.MULTILINE) for name in pages if name != "index")
    notebooks = {path.stem for path in (root / "notebooks").glob("*.ipynb")}
    assert set(re.findall(r"<notebooks/(\w+)\.html>", pages["index"])) == notebooks
    assert set(re.findall(r"<notebooks/(\w+)\.html>", "".join(pages.values()))) == notebooks


def test_the_tour_names_every_part():
    words = set(re.findall(r"\w+", fmjax.__doc__))
    assert set(fmjax.__all__) <= words
    assert set(fmjax.thresholds.__all__) - {"Threshold"} <= words


def of_fmjax(thing):
    """The function behind decorators and compilation, if it is written here; None otherwise."""
    thing = getattr(inspect.unwrap(thing), "__func__", inspect.unwrap(thing)) if callable(thing) else None
    if not inspect.isfunction(thing) or thing.__module__.split(".")[0] not in {"fmjax", "tests"}:
        return None
    return None if thing.__code__.co_filename.startswith("<") else thing  # written by a dataclass


def looked_up(node, names):
    """What `name` or `module.name` or `Class.name` stands for, None for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    owner = looked_up(node.value, names) if isinstance(node, ast.Attribute) else None
    return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) or inspect.isclass(owner) else None


def errors_of(function, seen=None):
    """Which of ValueError and TypeError a function raises, or the functions that it calls by name."""
    function, seen = of_fmjax(function), set() if seen is None else seen
    if function is None or function in seen:
        return set()
    seen.add(function)
    found = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found |= {getattr(node.exc.func, "id", None)} & {"ValueError", "TypeError"}
        if isinstance(node, ast.Call):
            found |= errors_of(looked_up(node.func, function.__globals__), seen)
    return found


def text_about(thing, method=None):
    """The docstring, and those of what it implements: an interface documents the arguments of its methods."""
    owners = thing.__mro__ if inspect.isclass(thing) else [thing]
    owners = [owner for owner in owners if (owner.__module__ or "").startswith(("fmjax", "tests"))]
    parts = owners if method is None else [*owners, *(getattr(owner, method, None) for owner in owners)]
    return "\n".join(inspect.getdoc(part) or "" for part in parts)


def public_methods(thing):
    if inspect.isclass(thing):
        names = [name for name in vars(thing) if name == "__call__" or not name.startswith("_")]
        yield from ((name, getattr(thing, name)) for name in names if of_fmjax(getattr(thing, name)))


def undocumented(thing):
    """What the docstring of a class or function, or of one of its methods, leaves out: errors and parameters."""
    makers = [getattr(thing, name, None) for name in ("__init__", "__check_init__", "__post_init__")]
    calls = [(None, makers[0] if inspect.isclass(thing) and vars(thing).get("__init__") else thing)]
    for name, call in [*calls, *public_methods(thing)]:
        text = text_about(thing, name)
        raised = [call] if name or not inspect.isclass(thing) else makers
        for error in sorted(set().union(*map(errors_of, raised))):
            documented = re.search(rf"Raises:\n(.*\n)*? +{error}: ", text)
            if not documented and ((name or thing.__name__), error) not in NEVER:
                yield f"{name or 'it'} raises {error}"
        for parameter in inspect.signature(call).parameters.values():
            own = parameter.name == "self" or parameter.name.startswith("_")
            several = parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
            if not (own or several or re.search(rf"(?<!\w){parameter.name}(?!\w)", text)):
                yield f"{name or 'it'} takes {parameter.name}"


@every_name
def test_docstrings_name_every_parameter_and_error(module, name):
    thing = getattr(importlib.import_module(module), name)
    if callable(thing):
        assert list(undocumented(thing)) == []


def checked(size):
    if size < 1:
        raise ValueError(size)


class Careless:
    """Of some ``colour``."""

    def __init__(self, colour, shape):
        checked(colour)

    def move(self, by):
        """Go ``by`` so much.

        Raises:
            ValueError: it is too long.
        """
        if not by:
            raise TypeError(by)
        checked(by)


def test_the_check_of_docstrings_sees_what_is_missing_through_decorators_and_calls():
    assert list(undocumented(Careless)) == ["it raises ValueError", "it takes shape", "move raises TypeError"]
    assert list(undocumented(checked)) == ["it raises ValueError", "it takes size"]
    assert errors_of(fmjax.networks.match) == {"ValueError"}
    assert errors_of(fmjax.clusters) == {"ValueError", "TypeError"}
    assert errors_of(fmjax.message_passing.bethe_entropy) == {"ValueError", "TypeError"}
    assert errors_of(fmjax.networks.data.directory) == set()
