"""Help texts: whole, on a terminal, with every quantity and every figure."""

import pytest
import typer
from typer.testing import CliRunner

from fmjax.cli import app
from fmjax.quantities import QUANTITIES
from fmjax.reproduce.listing import FIGURES
from tests.command_line import fmjax_command


def commands(command, path=()):
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands(typer.main.get_command(app))], ids=" ".join)
def test_help_is_whole_and_fits_a_terminal(path):
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    text, _, listed = result.stdout.partition("\nCommands:\n")
    assert "..." not in listed, "the first sentence of a command is too long for the list"
    lines = [line for line in text.splitlines() if not line.startswith("    fmjax ")]
    assert len(lines) < len(text.splitlines()), "there is no example"
    assert [line for line in lines if len(line) > 80] == []


def test_help_names_every_quantity_of_a_sweep():
    text = fmjax_command("sweep", "--help").stdout
    assert all(name in text for name in QUANTITIES)


def test_the_figures_of_the_command_are_those_of_the_package():
    from fmjax import reproduce

    text = fmjax_command("figure", "--help").stdout
    assert all(f"{name}  " in text and module.about in text for name, module in FIGURES.items())
    assert set(FIGURES) == set(reproduce.figures)
