"""The pages in headless Chromium: their controls, their accessibility, narrow and dark screens."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stochi.parity import compare_reports
from tests.parity.small_reports import (
    accuracy_row,
    costs,
    errors,
    estimate,
    event_sample,
    full_report,
    plain_report,
)
from tests.thoroughness import with_slow

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed; type: pip install '.[browser]'"
)
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is on the PATH")
PAGES = ("full", "mismatches", "regression", "events", "compared", "demo")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    full, broken = full_report(), plain_report(3)
    full.to_html(folder / "full.html")
    broken.to_html(folder / "mismatches.html")
    plain_report(accuracy=(), errors=errors(0.01)).to_html(folder / "regression.html")
    plain_report(costs=costs(), events=event_sample()).to_html(folder / "events.html")
    shown = {"lava": estimate(0.5)}, {"lava": estimate(0.5), "made_on": "float"}
    rows = accuracy_row(), accuracy_row("AutoAttack snn-20 (EOT 5), ε = 0.1", 0.5, -0.2, 0.15)
    rows = tuple(replace(row, **more) for row, more in zip(rows, shown, strict=True))
    plain_report(accuracy=rows).to_html(folder / "demo.html")
    attacked = plain_report(accuracy=(accuracy_row(), accuracy_row("FGSM, ε = 0.1", 0.4, -0.2)))
    compare_reports({"full": full, "broken": broken, "a": attacked}).to_html(
        folder / "compared.html"
    )
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Any, pages: Path) -> Iterator[Any]:
    """Open a page by its name; at the end no message may have been written to the console."""
    messages: list[str] = []
    contexts = []

    def opened(name: str, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda asked: messages.extend([asked.url] * ("http" in asked.url[:5])))
        page.goto((pages / f"{name}.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert messages == []


@pytest.mark.parametrize("name", with_slow(PAGES, ("mismatches", "regression", "demo", "compared")))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(show: Any, name: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    page = show(name, color_scheme=scheme)
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("javascript", with_slow([True, False], [False]))
def test_nothing_overflows_a_phone(show: Any, name: str, javascript: bool) -> None:
    page = show(name, viewport={"width": 380, "height": 800}, java_script_enabled=javascript)
    box = page.locator("html").bounding_box()
    assert box["width"] <= 380
    if javascript:
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
    for figure in page.locator("svg").all():
        assert figure.bounding_box()["width"] <= 380


HIDDEN = "box => box.scrollWidth - box.clientWidth"


@pytest.mark.parametrize("name", PAGES)
def test_no_table_is_wider_than_a_desktop_page(show: Any, name: str) -> None:
    page = show(name, viewport={"width": 1280, "height": 800})
    boxes = page.locator(".scroll").all()
    assert boxes
    for box in boxes:
        assert box.evaluate(HIDDEN) <= 0, box.get_attribute("aria-label")


@pytest.mark.parametrize("name", with_slow(PAGES, ("mismatches", "regression", "demo")))
def test_a_phone_shows_what_decides_and_text_that_can_be_read(show: Any, name: str) -> None:
    page = show(name, viewport={"width": 380, "height": 800})
    decisive = ("verdict", "mismatches", "chip − float", "chip − float, points")
    seen = 0
    for box in page.locator("main .scroll").all():
        heads = box.locator("thead th").all_inner_texts()
        right = box.bounding_box()["x"] + box.bounding_box()["width"]
        for number in (n for n, head in enumerate(heads[:3]) if head.strip() in decisive):
            cell = box.locator("thead th").nth(number).bounding_box()
            assert cell["x"] + cell["width"] <= right, heads
            seen += 1
    assert seen
    for picture in page.locator("svg").all():
        shown = picture.bounding_box()["width"] / picture.evaluate(
            "one => one.viewBox.baseVal.width"
        )
        assert 13 * shown >= 11


@pytest.mark.parametrize("name", with_slow(PAGES, ("mismatches", "regression", "demo")))
def test_dark_mode_is_dark(show: Any, name: str) -> None:
    colors = {}
    for scheme in ("light", "dark"):
        page = show(name, color_scheme=scheme)
        ground = "getComputedStyle(document.documentElement).backgroundColor"
        colors[scheme] = sum(map(int, page.evaluate(ground).strip("rgb()").split(",")))
    assert colors["dark"] < 100 and colors["light"] > 700


def test_columns_sort(show: Any) -> None:
    page = show("full")
    table = "#accuracy .scroll >> nth=0"
    button = page.locator(f"{table} >> thead button").nth(4)  # the chip's accuracy
    head = page.locator(f"{table} >> thead th").nth(4)
    for direction, sign in (("ascending", 1), ("descending", -1)):
        button.click()
        assert head.get_attribute("aria-sort") == direction
        cells = page.locator(f"{table} >> tbody tr > :nth-child(5)").all_inner_texts()
        values = [sign * float(text.split("\n")[0].split(" ")[0]) for text in cells]
        assert values == sorted(values) and len(set(values)) > 1
    other = page.locator(f"{table} >> thead button").nth(0)
    other.focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") is None


def test_a_layer_can_be_chosen(show: Any) -> None:
    page = show("full")
    select = page.locator("#layers select")
    assert select.is_visible()
    rows = page.locator("#layers tr[data-layer]")
    every = rows.count()
    select.select_option("network.lif1")
    visible = [row.get_attribute("data-layer") for row in rows.all() if row.is_visible()]
    assert set(visible) == {"network.lif1"} and len(visible) < every
    assert page.locator("#layers svg g.off").count() > 0
    assert page.locator("#layers div[data-layer]:visible").count() == 1
    select.select_option("")
    assert len([row for row in rows.all() if row.is_visible()]) == every


def test_it_says_everything_without_javascript(show: Any) -> None:
    page = show("full", java_script_enabled=False)
    assert page.locator(".headline").inner_text() == full_report().verdict.headline
    assert page.locator("#layers select").is_hidden()
    assert page.locator("thead button").count() == 0
    rows = page.locator("tbody tr")
    assert rows.count() > 50 and all(row.is_visible() for row in rows.all())
    assert page.locator("svg title").count() > 50
    assert page.locator("#flips img").count() == 3 * len(full_report().flipped)


TURN = 400
"""Milliseconds that a frame of an animation is shown."""
SEEN = """figure => [...figure.querySelectorAll("text.when, text.all, path.frame")]
    .filter((one) => getComputedStyle(one).visibility === "visible")
    .map((one) => one.textContent || one.style.getPropertyValue("--frame"))"""
STATES = "figure => figure.getAnimations({ subtree: true }).map((one) => one.playState)"
MOVE = """(figure, time) => figure.getAnimations({ subtree: true })
    .forEach((one) => { one.currentTime = time; })"""
NAMES = [f"time step {number}" for number in range(4)]


def seen_at(figure: Any, turn: int) -> set[str]:
    """What can be seen of a figure whose animations run, in the middle of a turn."""
    figure.evaluate(MOVE, (turn + 0.5) * TURN)
    return set(figure.evaluate(SEEN))


@pytest.mark.parametrize("javascript", [True, False])
def test_events_move_one_frame_at_a_time(show: Any, javascript: bool) -> None:
    page = show("events", java_script_enabled=javascript)
    figure = page.locator(".events")
    assert set(figure.evaluate(STATES)) == {"running"}
    for turn in (0, 1, 3, 4, 5):
        assert seen_at(figure, turn) == {NAMES[turn % 4], f"{turn % 4}"}
    assert page.locator(".events button").first.is_visible() == javascript


def test_events_can_be_stopped_and_summed_up(show: Any) -> None:
    page = show("events")
    figure = page.locator(".events")
    play, every = page.locator(".events button").all()
    assert play.inner_text() == "Pause"
    play.click()
    assert play.inner_text() == "Play" and set(figure.evaluate(STATES)) == {"paused"}
    every.click()
    assert figure.evaluate(STATES) == []
    assert set(figure.evaluate(SEEN)) == {"all time steps", "0", "1", "2", "3"}
    play.focus()
    page.keyboard.press("Enter")
    assert play.inner_text() == "Pause" and set(figure.evaluate(STATES)) == {"running"}
    assert seen_at(figure, 2) == {NAMES[2], "2"}


def test_events_are_still_for_who_wants_no_motion_and_on_paper(show: Any) -> None:
    calm, paper = show("events", reduced_motion="reduce"), show("events")
    paper.emulate_media(media="print")
    for page in (calm, paper):
        figure = page.locator(".events")
        assert figure.evaluate(STATES) == []
        assert set(figure.evaluate(SEEN)) == {"all time steps", "0", "1", "2", "3"}
    assert paper.locator(".events button").first.is_hidden()
    play = calm.locator(".events button").first
    assert play.inner_text() == "Play"
    play.click()
    assert seen_at(calm.locator(".events"), 1) == {NAMES[1], "1"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_polarities_differ_in_lightness_and_form(show: Any, scheme: str) -> None:
    page = show("events", color_scheme=scheme)
    style = "one => [getComputedStyle(one).stroke, getComputedStyle(one).strokeWidth]"
    (on, whole), (off, half) = (
        page.locator(f".events path.frame.{kind}").first.evaluate(style)
        for kind in ("rising", "falling")
    )
    assert on != off and float(whole.removesuffix("px")) == 2 * float(half.removesuffix("px"))


def test_headings_are_in_order(show: Any) -> None:
    for name in PAGES:
        page = show(name)
        assert page.locator("h1").count() == 1
        anchors = page.locator("nav a").evaluate_all("all => all.map((a) => a.hash.slice(1))")
        assert anchors == page.locator("main > section[id]").evaluate_all(
            "all => all.map((one) => one.id)"
        )
