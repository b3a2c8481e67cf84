"""The page in a real browser: what it shows, how it is used, what it refuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from browser import chromium
from evil_titles import EVIL
from playwright.sync_api import Browser, Page

from stages.artifacts.names import METRICS

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


class Opened:
    """The page in a window of its own, and all that the browser said of it."""

    def __init__(self, browser: Browser, path: Path, **settings: object) -> None:
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page: Page = browser.new_page(**{"viewport": {"width": 1200, "height": 800}, **settings})
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())


@pytest.fixture(scope="module")
def shared(browser: Browser, page: Path) -> Iterator[Opened]:
    """The page for tests that leave it as it is."""
    opened = Opened(browser, page)
    yield opened
    opened.page.close()


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Opened]:
    opened = Opened(browser, page)
    yield opened
    opened.page.close()


def test_it_opens_without_a_word_and_asks_for_nothing(shared: Opened, page: Path) -> None:
    assert shared.said == []
    assert [url for url in shared.requests if not url.startswith("data:")] == [page.as_uri()]
    assert shared.page.title() == "cocorec report: cocorec"


def test_its_numbers_are_those_of_metrics_json(shared: Opened, runs) -> None:
    facts = json.loads((runs.cocorec / METRICS).read_text())
    for protocol, found in facts["protocols"].items():
        rows = shared.page.locator(f"#metrics-{protocol} tbody tr")
        shown = rows.evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => [cell.textContent.trim(), cell.dataset.value]))"
        )
        assert [row[0][0] for row in shown] == list(found["metrics"])
        for row in shown:
            name = row[0][0]
            for place, what in ((1, "metrics"), (3, "popularity")):
                metric = found[what][name]
                assert row[place] == [f"{metric['mean']:.4f}", repr(metric["mean"])]
                assert row[place + 1][0].split() == [f"{metric['low']:.4f}", "to", f"{metric['high']:.4f}"]
    header = shared.page.locator("header dd").all_text_contents()
    assert f"{facts['metrics']['ndcg@10']['mean']:.4f}" in header


def test_titles_are_text(shared: Opened) -> None:
    names = shared.page.locator("#popular bdi, #users bdi").all_text_contents()
    assert set(EVIL) <= set(names)
    assert shared.page.locator("img, main script").count() == 0


_VALUES = "cells => cells.map(cell => Number(cell.dataset.value))"


def _natural(name: str) -> tuple[str, int]:
    """By name, then by the number in it."""
    metric, _, cutoff = name.partition("@")
    return metric, int(cutoff or 0)


def test_a_table_is_sorted_by_keyboard(opened: Opened) -> None:
    table = opened.page.locator("#metrics-all_items")
    before = table.locator("tbody th").all_text_contents()
    numbers = table.locator("tbody td:nth-child(2)")
    values = numbers.evaluate_all(_VALUES)
    button = table.locator("thead button").nth(1)
    button.focus()
    for direction, ordered in (("descending", sorted(values, reverse=True)), ("ascending", sorted(values))):
        opened.page.keyboard.press("Enter")
        assert table.locator("thead th").nth(1).get_attribute("aria-sort") == direction
        assert numbers.evaluate_all(_VALUES) == ordered
    table.locator("thead button").first.click()
    assert table.locator("tbody th").all_text_contents() == sorted(before, key=_natural)
    assert opened.page.locator("[aria-sort]").count() == 1


def test_the_first_tab_stop_skips_to_the_content_and_details_open_by_keyboard(opened: Opened) -> None:
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.textContent") == "To the content"
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.id") == "main"
    summary = opened.page.locator("article summary").first
    summary.focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("article details[open] ol li").first.is_visible()


def test_a_table_and_the_users_are_searched(opened: Opened) -> None:
    page = opened.page
    page.locator("summary", has_text="most popular items").click()
    page.get_by_role("searchbox", name="Search The 50 most popular items").fill("TITLE 3")
    rows = page.locator("#popular tbody tr:visible")
    every = page.locator("#popular tbody tr").all_text_contents()
    wanted = [text for text in every if "title" in text.lower() and "3" in text]
    assert rows.all_text_contents() == wanted
    assert 3 < len(wanted) < len(every)
    assert page.locator("[data-table]:has(#popular) [role=status]").text_content() == f"{rows.count()} of 50"
    first = page.locator("article h3 bdi").first.text_content()
    page.get_by_label("Search users and titles").fill(f"user {first}")
    assert page.locator("article:visible").count() == 1
    page.get_by_label("Search users and titles").fill("")
    assert page.locator("article:visible").count() == 20
    page.get_by_label("Sort by").select_option("length of the history")
    lengths = page.locator("article").evaluate_all("cards => cards.map(card => Number(card.dataset.length))")
    assert lengths == sorted(lengths)
    assert opened.said == []


def test_where_the_truth_stands_is_marked(shared: Opened) -> None:
    best = shared.page.locator("article").first
    rank = int(best.get_attribute("data-rank") or 0)
    assert best.locator("ol li.hit").count() == 1
    assert best.locator("details ~ ol, h4 + ol").first.locator("li").nth(rank - 1).get_attribute("class") == "hit"
    worst = shared.page.locator("article").last
    assert worst.locator("li.hit").count() == 0
    assert "not among the 10 recommended" in str(worst.text_content())


def test_no_other_script_and_no_network_from_within(opened: Opened) -> None:
    opened.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'hacked'";
            document.body.append(script);
            const button = document.createElement("button");
            button.setAttribute("onclick", "document.title = 'hacked'");
            document.body.append(button);
            button.click();
        }"""
    )
    assert opened.page.title() == "cocorec report: cocorec"
    assert not opened.page.evaluate("fetch('data:,x').then(() => true, () => false)")
    assert len([line for line in opened.said if "Content Security Policy" in line]) >= 3


@pytest.mark.parametrize(("scheme", "rules"), [("light", None), ("dark", ["color-contrast"])])
def test_rules_of_accessibility_hold(browser: Browser, page: Path, scheme: str, rules: list[str] | None) -> None:
    opened = Opened(browser, page, color_scheme=scheme)
    opened.page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = opened.page.evaluate("options => axe.run(document, options)", options)
    told = {each["id"]: [node["html"][:120] for node in each["nodes"][:3]] for each in found["violations"]}
    assert told == {}
    assert len(found["passes"]) >= (len(rules) if rules else 20)
    opened.page.close()


def test_on_a_phone_nothing_is_wider_than_the_window_but_tables_that_scroll(browser: Browser, page: Path) -> None:
    opened = Opened(browser, page, viewport={"width": 360, "height": 740}, is_mobile=True)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
    chart = opened.page.locator("figure svg").first.bounding_box()
    assert chart and chart["width"] > 280  # of the 360 that it is drawn for: texts are read at four fifths of 12 px
    opened.page.close()


def test_what_is_printed_is_light_and_unfolded(browser: Browser, page: Path) -> None:
    opened = Opened(browser, page, color_scheme="dark")
    colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    assert opened.page.evaluate(colours) == ["rgb(17, 21, 26)", "rgb(230, 234, 239)"]
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert opened.page.evaluate(colours) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("details:not([open])").count() == 0
    opened.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("details[open]").count() == 0
    assert opened.page.pdf().startswith(b"%PDF")
    opened.page.close()


def test_without_scripts_everything_is_there(browser: Browser, page: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    found = context.new_page()
    found.goto(page.as_uri())
    assert found.locator("article").count() == 20
    assert found.locator("input:visible").count() == 0
    context.close()
