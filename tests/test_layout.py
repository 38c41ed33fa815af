"""The structure that CONTRIBUTING promises: reading order is import order, files are short, importing changes nothing."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fmjax"

# A file imports only from rows above its own, or from its own row.
ROWS = (
    "progress",
    "checks",
    "names",
    "sentences",
    "outcome",
    "precision",
    "compilation",
    "special",
    "quadrature",
    "models",
    "replica",
    "solvers",
    "thresholds",
    "message_passing",
    "networks",
    "quantities",
    "sweeps",
    "reproduce",
    "cli",
)
THEORY = {"quadrature", "replica", "solvers", "thresholds"}
# What a row may not import although it lies above.
FORBIDDEN = {"message_passing": THEORY, "networks": THEORY - {"quadrature"}}
# `import fmjax` reaches every row through the package's lazy names: only rows that may use all of them may do it.
USES_PACKAGE = {"reproduce", "cli"}
# What a figure's `draw` must not reach: it reads a dataset.
COMPUTING = {"solvers", "thresholds", "replica", "message_passing", "networks"}

LONGEST = 300  # lines of a file

FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def row_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, path: Path) -> Iterator[tuple[str, str]]:
    """(bound name, dotted module or attribute) of every import of fmjax in the file, wherever it stands."""
    package = ["fmjax", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "fmjax":
                    yield alias.asname or "fmjax", alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*origin, *([node.module] if node.module else [])])
            if module.split(".")[0] == "fmjax":
                for alias in node.names:
                    yield alias.asname or alias.name, f"{module}.{alias.name}"


def row_of_import(dotted: str) -> str | None:
    """The row that an import reaches; None for the package itself."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROWS else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upwards_only(path):
    row = row_of(path)
    assert row in ROWS, f"{path.name} has no place in the reading order: add its row here and in CONTRIBUTING"
    for _, dotted in imports(ast.parse(path.read_text()), path):
        reached = row_of_import(dotted)
        if reached is None:
            assert dotted == "fmjax.__version__" or row in USES_PACKAGE, f"import {dotted} from its own module instead"
            continue
        assert ROWS.index(reached) <= ROWS.index(row), f"{row} imports {dotted}, which lies below it"
        assert reached not in FORBIDDEN.get(row, set()), f"{row} must stand without {reached}, but imports {dotted}"


def computing_names_reached_by_draw(tree: ast.Module, path: Path) -> set[str]:
    """Names that `draw`, or a function of the same module that it uses, takes from a computing module."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    suspicious = {
        name for name, dotted in imports(tree, path) if row_of_import(dotted) in COMPUTING or dotted.count(".") == 0
    }
    seen, todo, reached = set(), ["draw"], set()
    while todo:
        function = todo.pop()
        if function in seen or function not in functions:
            continue
        seen.add(function)
        used = {node.id for node in ast.walk(functions[function]) if isinstance(node, ast.Name)}
        bound_inside = {name for name, dotted in imports(functions[function], path) if row_of_import(dotted) in COMPUTING}
        reached |= (used & suspicious) | bound_inside
        todo += used
    return reached


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if row_of(path) == "reproduce" and "def draw(" in path.read_text()],
    ids=lambda path: path.stem,
)
def test_draw_reads_a_dataset_and_solves_nothing(path):
    assert not computing_names_reached_by_draw(ast.parse(path.read_text()), path)


@pytest.mark.parametrize(
    ("source", "reached"),
    [
        (
            "from fmjax.solvers import curve\ndef draw(d):\n    return helper(d)\ndef helper(d):\n    return curve(d)",
            {"curve"},
        ),
        ("import fmjax\ndef compute():\n    return fmjax.solve()\ndef draw(d):\n    return d", set()),
        ("def draw(d):\n    from fmjax.thresholds import capacity\n    return capacity(d)", {"capacity"}),
    ],
)
def test_the_check_of_draw_sees_through_helpers(source, reached):
    assert computing_names_reached_by_draw(ast.parse(source), PACKAGE / "reproduce" / "figure.py") == reached


def test_relative_imports_are_resolved():
    tree = ast.parse("from . import weights\nfrom .. import solvers\nfrom ..special import log_h as h\nimport fmjax.cli")
    assert dict(imports(tree, PACKAGE / "models" / "model.py")) == {
        "weights": "fmjax.models.weights",
        "solvers": "fmjax.solvers",
        "h": "fmjax.special.log_h",
        "fmjax": "fmjax.cli",
    }


def test_the_repository_has_the_fixed_top_level():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    assert listed.returncode == 0, f"the tests run in a git checkout: {listed.stderr}"
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    required = {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".ci", ".github", "fmjax", "tests"}
    assert required <= top
    assert top <= required | {"benchmarks", "notebooks"}


def test_no_file_is_longer_than_one_idea():
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lines.items() if length > LONGEST} == {}


def private_constants(tree: ast.Module) -> Iterator[str]:
    """Names like _THIS that are bound at the level of the module, also several at once, as often as they are."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names = (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))
        yield from (name for name in names if re.fullmatch(r"_[A-Z][A-Z0-9_]*", name))


def test_no_two_private_constants_share_a_name():
    places = defaultdict(list)
    for path in FILES:
        for name in private_constants(ast.parse(path.read_text(encoding="utf-8"))):
            places[name].append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_private_constants_are_seen_however_they_are_bound():
    source = (
        "_A, (_B, c) = 1, (2, 3)\n_C: int = 4\nD = 5\n_Scalar = float\n_A = 6\nclass E:\n    _F = 7\n    def g(): _H = 8"
    )
    assert list(private_constants(ast.parse(source))) == ["_A", "_B", "_C", "_A"]


def python(source: str) -> str:
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_fmjax_changes_no_setting_and_starts_no_device():
    python(
        """
import importlib, os, pkgutil
import jax
from jax._src import xla_bridge

settings, environment = dict(jax.config.values), dict(os.environ)
import fmjax
for module in pkgutil.walk_packages(fmjax.__path__, "fmjax."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for name in fmjax.__all__:
    getattr(fmjax, name)
changed = {name: value for name, value in jax.config.values.items() if settings.get(name) != value}
assert not changed, changed
# Those of OpenMP are scikit-learn's, which the classifier alone imports.
assert {name: value for name, value in os.environ.items() if not name.startswith("KMP_")} == {
    name: value for name, value in environment.items() if not name.startswith("KMP_")
}
assert not xla_bridge.backends_are_initialized()
"""
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["threshold", "--help"],
        ["franz-parisi", "--help"],
        ["focusing", "--help"],
        ["networks", "--help"],
        ["--version"],
    ],
)
def test_help_waits_for_no_heavy_import(arguments):
    loaded = python(
        f"""
import sys
from fmjax.cli import app
try:
    app({arguments!r})
except SystemExit as end:
    assert end.code == 0
print(*sorted(sys.modules))
"""
    ).split()
    assert not {"jax", "jaxlib", "numpy", "scipy", "matplotlib", "xarray", "equinox", "rich"} & set(loaded)


def test_the_names_of_the_package_are_listed_and_misspellings_are_named():
    import fmjax

    assert set(fmjax.__all__) <= set(dir(fmjax))
    with pytest.raises(AttributeError, match="Percepton.*Perceptron"):
        fmjax.Percepton  # noqa: B018  (the look-up is what raises)
