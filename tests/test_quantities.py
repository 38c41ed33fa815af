"""What can be computed stands once: commands, sweeps and the report have it from there."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import fmjax
from fmjax.cli import thresholds
from fmjax.names import Constraint, Weights
from fmjax.quantities import QUANTITIES, THEORY, THRESHOLDS, Quantity
from fmjax.quantities.listing import command
from fmjax.quantities.parts import MARGIN, MODEL
from fmjax.quantities.thresholds import _threshold
from fmjax.reproduce.engine import USUAL
from fmjax.sweeps import read

POINT = {"alpha": 0.5, "reference_margin": 0.2, "distance": np.array([0.1, 0.2]), "replicas": 3.0}
POINT |= {"loss": "hinge", "beta": 2.0, "energy": 0.1, "rise": np.array([0.1, 1.0])}
OF_THEORY = {**THEORY, **THRESHOLDS}


def test_to_list_them_imports_nothing_that_takes_time():
    program = "import sys; from fmjax.quantities import QUANTITIES; print(len(QUANTITIES), *sys.modules)"
    count, *loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.split()
    assert int(count) == len(QUANTITIES)
    assert not {"jax", "numpy", "scipy", "equinox"} & set(loaded)


@pytest.mark.parametrize("name", OF_THEORY)
def test_a_function_gives_the_outputs_that_its_row_names(name):
    quantity = QUANTITIES[name]
    defaults = {key: control.default for key, control in quantity.controls.items() if control.default is not None}
    asked = {key: value for key, value in POINT.items() if key in quantity.controls}
    values = defaults | {key: value if quantity.controls[key].along else np.ravel(value)[0] for key, value in asked.items()}
    numbers = {key: value for key, value in values.items() if not quantity.controls[key].static}
    found = jax.eval_shape(lambda numbers: quantity.evaluate(values | numbers), numbers)
    others = {"alpha", "margin", "reference_margin"} - {*quantity.outputs} if name in THRESHOLDS else set()  # where it is
    assert set(found) == {*quantity.outputs, "result", *others}
    shape = (2,) if quantity.along else ()
    assert {leaf.shape for key, leaf in found.items() if key not in others} == {shape}


def test_names_of_outputs_mean_the_same_everywhere():
    units = {}
    for quantity in QUANTITIES.values():
        for name, output in quantity.outputs.items():
            units.setdefault(name, set()).add(output.units.removesuffix(" and replica"))
    assert {name: some for name, some in units.items() if len(some) > 1} == {"error_estimate": {"1", "nats per weight"}}


def test_a_loss_of_a_sweep_is_the_one_of_that_name():
    at = {"alpha": 0.5, "beta": 2.0, "loss": "temperature"}
    model = fmjax.Perceptron().with_constraint(fmjax.Temperature(2.0))
    point = fmjax.thermodynamics(fmjax.Equilibrium(model), alpha=0.5)
    assert float(USUAL.grid("thermodynamics", **at).energy) == pytest.approx(float(point.energy), abs=1e-14)


def test_the_example_of_a_threshold_is_its_own_command():
    assert [name for name, row in THRESHOLDS.items() if row.example.split()[:2] != ["threshold", name]] == []


def test_every_function_of_the_thresholds_has_a_row():
    functions = set(fmjax.thresholds.__all__) - {"Threshold"}
    assert {row.evaluate.first[0] for row in THRESHOLDS.values()} == {f"fmjax.thresholds:{name}" for name in functions}


def test_a_command_asks_for_what_differs_from_the_usual():
    assert command("kappa-max", alpha=0.5) == "fmjax threshold kappa-max --alpha 0.5"
    assert command("capacity", margin=0.1, architecture="committee", activation="relu") == (
        "fmjax threshold capacity --margin 0.1 --architecture committee --activation relu"
    )
    assert command("robust-capacity", replicas=4.0) == "fmjax threshold robust-capacity --replicas 4"
    assert command("robust-capacity", replicas=np.inf) == "fmjax threshold robust-capacity --replicas inf"
    assert float(command("entropy", alpha=0.83307859973957923).split()[-1]) == 0.83307859973957923


def half_the_capacity(model):
    """A threshold of one's own."""
    return eqx.tree_at(lambda found: found.value, fmjax.thresholds.capacity(model), replace_fn=lambda value: value / 2)


def test_a_new_threshold_is_its_function_and_a_row(monkeypatch):
    monkeypatch.setattr(fmjax.thresholds, "half", half_the_capacity, raising=False)
    row = _threshold("half", "half the capacity", {"margin": MARGIN}, "Of no use.", "--margin 0.1", 1, 1.0)
    assert isinstance(row, Quantity)
    for table in (QUANTITIES, THRESHOLDS):
        monkeypatch.setitem(table, "half", row)
    app = typer.Typer()
    app.command("other")(lambda: None)
    thresholds.add_to(app)
    done = CliRunner().invoke(app, ["threshold", "half", "--json"])
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["value"] == pytest.approx(0.83307859973957923 / 2, abs=1e-12)
    assert "fmjax threshold half --margin 0.1" in CliRunner().invoke(app, ["threshold", "half", "--help"]).stdout
    plan = read({"quantity": "half", "grid": {"margin": [0.0, 0.1]}})
    assert float(plan.quantity.evaluate({**plan.fixed, "margin": 0.0})["value"]) == pytest.approx(0.416539299869, abs=1e-11)


def test_a_new_constraint_is_its_class_and_a_row():
    """Words and classes meet in `fmjax.names` alone: what makes models looks a class up by the row of its word."""
    package = Path(fmjax.__file__).parent
    for part, module in ((Constraint, "constraint"), (Weights, "weights")):
        classes = ast.parse((package / "models" / f"{module}.py").read_text(encoding="utf-8")).body
        assert {word.kind for word in part} <= {node.name for node in classes if isinstance(node, ast.ClassDef)}
    used = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if "SymmetricMargin(" in path.read_text()}
    assert used == {"models/constraint.py", "models/model.py"}  # in examples
    named = (package / "names.py").read_text(encoding="utf-8")
    assert named.count("SymmetricMargin") == 1


@pytest.mark.parametrize("slope", [0.1, 0.4])
def test_the_slope_of_a_leaky_unit_is_a_control_of_sweeps(slope):
    grid = {"alpha": 0.5, "architecture": "committee", "activation": "leaky-relu", "slope": slope}
    plan = read({"quantity": "entropy", "grid": grid})
    found = plan.quantity.evaluate(plan.fixed)
    model = fmjax.TreeCommittee(fmjax.LeakyReLU(slope))
    assert float(found["entropy"]) == pytest.approx(
        float(fmjax.solve(fmjax.Equilibrium(model), alpha=0.5).entropy), abs=1e-12
    )
    with pytest.raises(ValueError, match="slope is that of leaky-relu"):
        read({"quantity": "entropy", "grid": grid | {"activation": "relu"}})


def test_a_slope_that_is_not_asked_for_is_no_control_of_a_plan():
    plan = read({"quantity": "entropy", "grid": {"alpha": 0.5}})
    assert "slope" not in {*plan.fixed, *plan.axes}
    assert set(MODEL) - {"slope"} <= set(plan.fixed)
    assert jnp.isfinite(plan.quantity.evaluate(plan.fixed)["replicon"])
