"""The report: its table, the literature in it, and a page that stands alone."""

import json
import re
from html.parser import HTMLParser

import fmjax
from fmjax.reproduce import engine, report, running
from tests import small_figures
from tests.oracles import literature
from tests.small_figures import ENDED, contents, measured

small = small_figures.small


def test_the_table_compares_with_the_literature():
    lines = {row["quantity"]: row for row in report.table(measured(**{"capacity at 0.05": 0.9}))}
    assert lines["capacity"]["agreement"] == "yes"
    assert lines["capacity"]["printed"].startswith("0.8330785997")
    assert lines["overlap at capacity"]["agreement"] == lines["conjugate at capacity"]["agreement"] == "yes"
    assert lines["capacity at 0.05"]["agreement"] == "no"
    assert lines["kappa_max"]["agreement"] == "–"
    assert lines["alpha_u"]["literature"] == "about 0.76 (paper)"


def test_what_did_not_converge_is_a_row_with_its_reason():
    rows = measured() | {"alpha_u": {"value": None, "error_estimate": None, "result": ENDED}}
    row = {row["quantity"]: row for row in report.table(rows)}["alpha_u"]
    assert (row["printed"], row["agreement"], row["result"], row["converged"]) == ("–", "no value", ENDED, False)


def test_the_literature_of_the_report_is_that_of_the_tests():
    known = {row.key: row.literature for row in report.ROWS}
    for margin, enclosure in literature.CAPACITY_ENCLOSURES.items():
        assert known[f"capacity at {margin}"][:2] == (enclosure.low, enclosure.high)
    for key, published in {
        "capacity": literature.CAPACITY,
        "overlap at capacity": literature.CAPACITY_OVERLAP,
        "conjugate at capacity": literature.CAPACITY_CONJUGATE,
    }.items():
        assert known[key].low <= published.value <= known[key].high
        assert known[key].high - known[key].low < 1e-7


class Loads(HTMLParser):
    """Addresses that a browser would load by itself."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [
            value for name, value in attrs if name in {"src", "srcset", "data"} or (tag, name) == ("link", "href")
        ]


def test_everything_is_made_once_and_the_report_stands_alone(small, tmp_path):
    out = tmp_path / "new" / "out"
    assert running.run(out, True) is True
    made = {f"figure-{name}.{suffix}" for name in running.figures for suffix in ("nc", "png", "pdf")}
    assert set(contents(out)) == made | {"fmjax.json", "report.html", "report.json"}

    html = (out / "report.html").read_text()
    found = Loads()
    found.feed(html)
    assert len(found.addresses) == len(running.figures)
    assert all(address.startswith("data:image/png;base64,") for address in found.addresses)
    assert not re.search(r"@import|url\(|<script", html)
    assert all(f"fmjax figure {name} --quick --out DIR" in html for name in running.figures)
    assert f"1 × {ENDED}" in html
    assert fmjax.__version__ in html

    document = json.loads((out / "report.json").read_text())
    assert [line["quantity"] for line in document["rows"]] == [row.key for row in report.ROWS]
    assert document["quick"] == 1
    assert all(f"{row['printed']}<" in html for row in document["rows"])
    verdicts = {row["place"]: row["verdict"] for row in document["statements"]}
    assert verdicts["Figure 2"] == "agrees"
    assert {verdicts[f"Figure {absent}"] for absent in (6, 7, 8)} == {"not in this run"}
    assert "figure 8 is not part of it" in html

    before = contents(out)
    assert running.run(out, True) is True
    assert set(contents(out)) == set(before)
    assert json.loads(contents(out)["report.json"]) == document


def test_a_row_is_a_sweep_of_one_point_whose_store_is_kept(tmp_path):
    rows = {row.key: row for row in report.ROWS}
    kept = engine.Engine(tmp_path)
    found = report.measure(rows["capacity"], kept.grid("capacity"))
    assert found["result"] == "converged"
    assert abs(found["value"] - literature.CAPACITY.value) < 1e-8
    (store,) = tmp_path.iterdir()
    assert float(fmjax.open(store).value) == found["value"]
    quantity, controls = rows["overlap at capacity"].request
    overlap = report.measure(rows["overlap at capacity"], kept.grid(quantity, **dict(controls)))
    assert overlap["error_estimate"] < 1e-11
    assert abs(overlap["value"] - literature.CAPACITY_OVERLAP.value) < 1e-8
    assert len(list(tmp_path.iterdir())) == 2
