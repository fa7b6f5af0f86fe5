"""The report: one page that needs nothing else, holds the numbers and works in a browser."""

from __future__ import annotations

import base64
import gzip
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from neucb import cli
from neucb.report import render_report
from neucb.report.results import claims, summary_table
from neucb.report.theory import ablation_table, growth_table, plain_name
from neucb.runs.api import prepare
from neucb.runs.save import save
from neucb.statistics import compare_over_seeds, final_scores, paired_t
from neucb.sweeps.store.read_results import Results, read_results
from tests.support.figures import synthetic_log

EVIL = "<script>alert(1)</script>&\"'"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects the tables, and fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tables: list[list[list[str]]] = []
        self.headings: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "h2":
            self.headings.append("")
        elif tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        elif "h2" in self.open:
            self.headings[-1] += data
        elif "script" in self.open:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("runs")
    for agent, noise in (("squarecb", 0.0), ("squarecb", 0.1), ("uniform", 0.0), ("supervised", 0.0)):
        job = prepare(agent, "iris", 60, 3, label_noise=noise)
        job.play()
        save(job, folder)
    return read_results([folder], pytest.fail)


@pytest.fixture(scope="module")
def page(results: Results) -> str:
    return render_report(results, "A report", ["left out: one"])


def test_the_page_is_whole_and_needs_nothing_else(page: str) -> None:
    parsed = Page(page)
    assert len(parsed.scripts) == 1
    for tag, name, value in parsed.attributes:
        if name in ("href", "src", "xlink:href", "data", "action"):
            assert value.startswith("#"), (tag, name, value)
        assert not name.startswith("on"), (tag, name)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert "Omissions and failures" in parsed.headings
    assert "left out: one" in page


def test_figures_are_whole_documents_with_a_title_and_text(page: str) -> None:
    attributes = Page(page).attributes
    titles = [value for tag, name, value in attributes if (tag, name) == ("img", "alt")]
    packed = [value for tag, name, value in attributes if (tag, name) == ("img", "data-svg")]
    assert len(titles) == len(packed) == page.count("<figure>") >= 4
    assert "Regret on iris" in titles
    for figure in packed:
        svg = gzip.decompress(base64.b64decode(figure)).decode()
        tree = ElementTree.fromstring(svg)
        identifiers = {node.get("id") for node in tree.iter()}
        assert "squarecb" in "".join(tree.itertext())
        assert {
            name for pair in re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', svg) for name in pair if name
        } <= identifiers
        assert not re.search(r'href="(?!#)|url\((?!#)', svg)


def test_every_part_is_there_or_says_why_not(page: str, results: Results) -> None:
    parsed = Page(page)
    wanted = [
        "Summary",
        "Ranks",
        "Wins and losses",
        "Growth of regret",
        "Ablation",
        "Settings",
        "Data",
        "Versions",
    ]
    assert set(wanted) <= set(parsed.headings)
    assert "Not shown: an ablation needs an agent with and without a part" in page
    text = [" | ".join(row) for table in parsed.tables for row in table]
    (manifest, *_) = results.manifests
    assert any(f"torch {manifest['versions']['torch']}" in row for row in text)
    assert any("scikit_learn:" in row for row in text)
    assert any("gamma = " in row and "squarecb" in row for row in text)


def test_summary_holds_the_statistics(page: str, results: Results) -> None:
    header, *rows = Page(page).tables[0]
    assert header[:5] == ["data set", "agent", "regret", "±", "loss"]
    table = {(row[0], row[1]): row for row in rows}
    last = results.frame.groupby(["dataset", "agent_label", "seed"]).tail(1)
    regret = last[(last["dataset"] == "iris") & (last["agent_label"] == "squarecb")]["regret"].to_numpy()
    assert table["iris", "squarecb"][2] == f"{regret.mean():,.1f}"
    assert table["iris", "supervised"][5] == "0.000"
    assert set(table) == {
        ("iris", "squarecb"),
        ("iris", "uniform"),
        ("iris", "supervised"),
        ("iris, label noise 0.1", "squarecb"),
    }


def test_claims_follow_the_tests() -> None:
    frame = synthetic_log(["a", "b", "c"], ["d"])
    close = frame["agent"] == "b"
    frame.loc[close, "regret"] = frame.loc[frame["agent"] == "a", "regret"].to_numpy() * (
        1.0 + 0.3 * np.where(frame.loc[close, "seed"] % 2 == 0, 1, -0.9)
    )
    p = compare_over_seeds(final_scores(frame)).set_index(["first", "second"])["p_holm"]
    assert p["a", "c"] < 0.05 < p["a", "b"]
    (sentence,) = claims(frame)
    assert sentence.startswith("d: a has the least regret, 36.4 ± 6.5, not significantly less than b.")
    (sentence,) = claims(synthetic_log(["a", "c"], ["d"]))
    assert sentence.endswith("; all others have significantly more.")


def test_best_is_set_off_and_skylines_do_not_compete() -> None:
    table = summary_table(synthetic_log(["supervised", "a", "b"], ["d"]))
    strong = [row[1].text for row in table.rows if row[1].strong]
    assert [row[1].text for row in table.rows] == ["supervised", "a", "b"]
    assert strong == ["a"]


def test_growth_of_a_known_law() -> None:
    frame = synthetic_log(["a"], ["d"])
    rounds = np.unique(np.round(np.logspace(0, 3, 40)))
    many = frame[frame["round"] == 1].merge(frame[[]].assign(x=1).head(1), how="cross").drop(columns="x")
    many = many.loc[many.index.repeat(len(rounds))].assign(round=np.tile(rounds, len(many)).astype(int))
    many["regret"] = np.sqrt(many["round"]) * (2.0 + many["seed"] / 10)
    calls: list[int] = []
    (row,) = growth_table(many, lambda: calls.append(1)).rows
    assert row[2].text == "0.50"
    assert row[5].text == "sqrt t"
    assert calls == [1]


def test_ablation_is_paired_with_the_plain_agent() -> None:
    frame = synthetic_log(["kl-perturbed", "kl", "squarecb"], ["d"])
    (row,) = ablation_table(frame).rows
    assert [cell.text for cell in row[:3]] == ["d", "kl-perturbed", "kl"]
    last = frame[frame["round"] == 1000].set_index(["agent", "seed"])["regret"]
    expected = paired_t(last["kl-perturbed"].to_numpy(), last["kl"].to_numpy())
    assert row[3].key == pytest.approx(expected.difference)
    assert row[6].key == pytest.approx(expected.p)
    assert plain_name("sq-perturbed-replay") == "sq"


def test_text_from_outside_stays_text(results: Results) -> None:
    frame = synthetic_log([EVIL, "kl"], [EVIL, "plain"])
    manifest = {"configuration": {"environment": {"dataset": EVIL, "provenance": {EVIL: EVIL}}}}
    page = render_report(Results(frame.assign(agent_label=frame["agent"]), (manifest,)), EVIL, [EVIL])
    parsed = Page(page)
    assert len(parsed.scripts) == 1
    assert "<script>alert" not in page
    assert any(row[0] == EVIL for table in parsed.tables for row in table)
    assert any(value == f"Regret on {EVIL}" for _, name, value in parsed.attributes if name == "alt")


def test_environments_that_tell_no_regret_have_a_report() -> None:
    frame = synthetic_log(["a", "b"]).assign(regret=np.nan, best_fixed_arm_regret=np.nan, L_star=np.nan)
    parsed = Page(render_report(Results(frame.assign(agent_label=frame["agent"]), ()), "no regret", []))
    assert "Summary" in parsed.headings


def test_report_command_writes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = prepare("uniform", "iris", 30, 2)
    job.play()
    save(job, tmp_path / "runs")
    out = tmp_path / "new" / "page.html"
    monkeypatch.setattr(sys, "argv", ["neucb", "report", str(tmp_path / "runs"), "-o", str(out)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert "<h1>runs</h1>" in out.read_text()


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to open the page in")
def test_columns_sort_in_a_browser(page: str, tmp_path: Path) -> None:
    """From a file, without a network; a script that the test adds clicks and writes down what it sees."""
    clicks = """
    <script>
    const table = document.querySelector("table");
    const seen = (i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent).join("|");
    const press = (i) => table.tHead.rows[0].cells[i].querySelector("button").click();
    const says = [];
    press(2); says.push(seen(2), table.tHead.rows[0].cells[2].getAttribute("aria-sort"));
    press(2); says.push(seen(2), table.tHead.rows[0].cells[2].getAttribute("aria-sort"));
    press(1); says.push(seen(1));
    says.push(document.querySelectorAll("figure img").length);
    addEventListener("load", () => setTimeout(() => {
      const widths = [...document.images].map((image) => image.naturalWidth);
      says.push(Math.min(...widths) > 100);
      document.body.dataset.says = says.join(";");
    }, 1000));
    </script></body>"""
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", clicks), encoding="utf-8")
    assert BROWSER is not None
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=10000",
        "--dump-dom",
    ]
    done = subprocess.run(
        [BROWSER, *options, file.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    (says,) = re.findall(r'data-says="([^"]*)"', done.stdout)
    up, up_says, down, down_says, names, figures, visible = says.split(";")
    numbers = [float(one) for one in up.split("|")]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 1
    assert down.split("|") == up.split("|")[::-1]
    assert (up_says, down_says) == ("ascending", "descending")
    assert names.split("|") == sorted(names.split("|"))
    assert int(figures) >= 4
    assert visible == "true"
