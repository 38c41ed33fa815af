"""The reference as pages, made of the docstrings: `sphinx-build -W .github/pages out-pages`; and the notebooks."""

import logging
import re
from pathlib import Path
from types import ModuleType

import fmjax

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parents[1] / "notebooks"

project, author, version = "fmjax", "fmjax authors", fmjax.__version__
project_copyright = author
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "sphinx.ext.viewcode"]
html_theme, html_title = "furo", f"fmjax {version}"
html_show_sphinx = False
default_role = "py:obj"  # `name` in a docstring is a link where there is such a name
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": False}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_rtype = False
napoleon_use_ivar, napoleon_attr_annotations = True, False  # shapes are in signatures, and are no markup
python_maximum_signature_line_length = 90
add_module_names = False

SECTION = re.compile(r"(Args|Arguments|Attributes|Example|Examples|Raises|Returns|Yields):$")
ENTRY = re.compile(r" {4}(\S.*?) {2,}(\S.*)")


def blocks(lines):
    """Runs of lines that are indented alike, at the left or not; blank lines belong to the run before."""
    run = []
    for line in lines:
        if run and line.strip() and line.startswith(" ") != run[0].startswith(" "):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def indented(app, what, name, obj, options, lines):
    """What stands indented in a docstring, outside of sections, directives and lists: symbols of a tour, or an equation."""
    made, before = [], ""
    for run in blocks(lines):
        apart = made and not made[-1].strip()
        inside = SECTION.match(before) or before.startswith(("..", "* ", "- "))
        if not run[0].startswith(" ") or not apart or inside:
            made += run
        elif what == "module" and ENTRY.match(run[0]):
            made += symbols(run)
        else:
            made += [".. code-block:: text", "", *run]
        before = next((line for line in reversed(run) if line.strip()), "")
    lines[:] = made


def symbols(run):
    """A definition list of two columns, a line of which may go on in the second."""
    for line in run:
        if entry := ENTRY.match(line):
            yield from (f"``{entry[1]}``", f"    {entry[2]}")
        else:
            yield f"    {line.strip()}".rstrip()


def skipped(app, what, name, obj, skip, options):
    """Parts of the package have their own pages, and its headline names are described where they are met first."""
    headline = app.env.docname != "fmjax" and name in fmjax.__all__ and getattr(fmjax, name) is obj
    return True if headline or isinstance(obj, ModuleType) else None


def elsewhere(app, env, node, contnode):
    """A name as it is written in the package, `thresholds.capacity` or `Model`, from wherever it is spoken of."""
    domain = env.get_domain("py")
    for place in ("fmjax", "fmjax.models", "fmjax.replica", "fmjax.solvers"):
        target = f"{place}.{node.get('reftarget', '')}"
        if node.get("refdomain") == "py" and target in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], target, node, contnode)
    return None


def render_notebooks(app, error):
    """As they were executed, to the folder that the pages link to."""
    from nbconvert import HTMLExporter

    if error:
        return
    logging.getLogger("traitlets").setLevel(logging.ERROR)  # pictures of notebooks have captions, and no other text
    out = Path(app.outdir) / "notebooks"
    out.mkdir(exist_ok=True)
    for path in NOTEBOOKS.glob("*.ipynb"):
        (out / f"{path.stem}.html").write_text(HTMLExporter().from_filename(str(path))[0], encoding="utf-8")


def setup(app):
    app.connect("autodoc-process-docstring", indented, priority=400)  # before sections become fields
    app.connect("autodoc-skip-member", skipped)
    app.connect("missing-reference", elsewhere)
    app.connect("build-finished", render_notebooks)
