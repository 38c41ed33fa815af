"""Benchmarks write what they measure to sections of their own, and what stands there can be made again."""

import ast
import importlib
import importlib.util
import re
import shlex
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
TEXT = (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n\n(.+?)(?=\n## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


@pytest.fixture
def record(monkeypatch, tmp_path):
    """The module that writes, with a file of two other sections."""
    spec = importlib.util.spec_from_file_location("record", BENCHMARKS / "record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(sys, "argv", ["/somewhere/benchmarks/middle.py", "--size", "3", "--record"])
    module.RESULTS.write_text("# Results\n\nHow.\n\n## after\n\nOne.\n\n## before\n\nTwo.\n")
    return module


def measure(record, keep, seconds):
    with record.results("b middle", keep) as out:
        out.table("program", "seconds")
        out.row("ours | theirs", f"{seconds:.1f}")
        out.say("2 points")


def test_a_section_replaces_itself_and_no_other(record, capsys):
    for seconds in (1.0, 2.0):
        measure(record, True, seconds)
    text = record.RESULTS.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["after", "b middle", "before"]
    assert text.startswith(
        "# Results\n\nHow.\n\n## after\n\nOne.\n\n## b middle\n\n`python benchmarks/middle.py --size 3`, 2"
    )
    assert "\n\n| program | seconds |\n|---|---|\n| ours \\| theirs | 2.0 |\n\n2 points.\n\n## before\n\nTwo.\n" in text
    assert "1.0 |" not in text
    assert capsys.readouterr().out.count("ours | theirs") == 2


@pytest.mark.parametrize("keep", [False, True], ids=["not asked for", "failed"])
def test_nothing_is_written_unless_it_is_asked_for_and_done(record, keep):
    before = record.RESULTS.read_text()
    if keep:
        with pytest.raises(ZeroDivisionError):
            measure(record, keep, 1 / 0)
        with pytest.raises(ValueError, match="stopped"), record.results("b middle", keep):
            raise ValueError("stopped")
    else:
        measure(record, keep, 1.0)
    assert record.RESULTS.read_text() == before


def test_every_section_says_how_and_where_it_was_made():
    assert list(SECTIONS) == sorted(SECTIONS)
    for name, body in SECTIONS.items():
        file, *part = name.split()
        found = re.match(r"`(python benchmarks/[^`]+)`, 20\d\d", body)
        assert found, name
        _, program, *arguments = shlex.split(found[1])
        assert Path(program).stem == file
        assert not part or part[0] in arguments
        assert "| " in body or "GiB" in body


def test_every_benchmark_can_write_its_section():
    programs = [path for path in BENCHMARKS.glob("*.py") if "record.parser(" in path.read_text(encoding="utf-8")]
    assert {path.stem for path in programs} == {name.split()[0] for name in SECTIONS}
    assert all("record.results(" in path.read_text(encoding="utf-8") for path in programs)


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_takes_from_the_package_is_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fmjax")]
    for node in taken:
        module = importlib.import_module(node.module)
        assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []
