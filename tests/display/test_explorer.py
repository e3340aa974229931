"""The page to explore boxes: its data, and its behaviour in a browser."""

import json
import os
import re
import shutil
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from sklearn_task2box.display import BoxDisplay
from sklearn_task2box.display._explorer import as_script, volumes

pytest.importorskip("plotly")

BOXES = [[0, 0, 9, 9], [1, 1, 4, 4], [2, 2, 3, 3], [5, 5, 8, 7], [10, 10, 11, 12]]
NAMES = ["animal", "dog", "poodle", "cat", "stone"]
GROUPS = ["kind", "kind", "breed", "kind", None]
# Each would run, or end the script it stands in, where it is taken for markup.
HOSTILE = [
    "</script><script>window.injected = 1</script>",
    "<img src=x onerror='window.injected = 2'>",
    "\"'`${window.injected = 3}\\",
    "<!--<script>",
    "<b>bold</b> & <a href='javascript:window.injected=4'>link</a>",
]


class Scripts(HTMLParser):
    """The script elements of a page, as a browser cuts them."""

    def __init__(self, page):
        super().__init__()
        self.found, self.addresses, self.at = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.addresses += [v for k, v in attributes.items() if k in ("src", "href")]
        if tag == "script":
            self.found.append((attributes, []))
            self.at = self.found[-1][1]

    def handle_endtag(self, tag):
        self.at = None if tag == "script" else self.at

    def handle_data(self, data):
        if self.at is not None:
            self.at.append(data)


def data_of(path):
    scripts = Scripts(path.read_text(encoding="utf-8")).found
    assert len(scripts) == 3  # plotly, the data, and what draws them
    (text,) = ["".join(parts) for kind, parts in scripts if kind.get("id") == "data"]
    return json.loads(text)


def test_data_of_the_page(tmp_path):
    path = BoxDisplay(BOXES, NAMES, GROUPS).to_html(tmp_path / "boxes.html")
    assert path == tmp_path / "boxes.html"
    data = data_of(path)
    assert data["names"] == NAMES
    assert data["around"] == [[], [0], [1, 0], [0], []]  # the smallest first
    assert data["rank"] == [0, 1, 4, 2, 3]
    assert data["sizes"] == ["81", "9", "1", "6", "2"]
    assert [group["label"] for group in data["groups"]] == ["breed", "kind", "no group"]
    assert data["group"] == [1, 1, 0, 1, 2]
    for k, scale in enumerate(data["scales"]):
        values = np.array(scale["values"])
        np.testing.assert_array_equal(values[scale["low"]], np.array(BOXES)[:, k])
        np.testing.assert_array_equal(values[scale["high"]], np.array(BOXES)[:, k + 2])
        assert scale["marks"] is None


def test_relations_are_those_of_the_estimator_not_of_geometry(tmp_path):
    inside = np.eye(5, dtype=bool)
    inside[4, 0] = True
    display = BoxDisplay(BOXES, NAMES, inside=inside)
    data = data_of(display.to_html(tmp_path / "boxes.html"))
    assert data["around"] == [[], [], [], [], [0]]


def test_dimensions_and_spacing(tmp_path):
    rng = np.random.RandomState(0)
    low = rng.normal(size=(6, 3))
    display = BoxDisplay(np.hstack([low, low + rng.uniform(size=(6, 3))]))
    data = data_of(display.to_html(tmp_path / "three.html", spacing="log"))
    assert data["n_dimensions"] == len(data["scales"]) == 3
    for scale in data["scales"]:
        assert scale["title"].endswith("(log gaps)")
        assert len(scale["marks"]) == len(scale["values"])
        assert (np.diff(scale["marks"]) > 0).all()
    bars = data_of(BoxDisplay([[0, 9], [1, 4]]).to_html(tmp_path / "one.html"))
    assert bars["scales"][1]["bare"]
    flat = data_of(
        BoxDisplay([[1, 2, 1, 2]] * 3).to_html(tmp_path / "0.html", spacing="log")
    )
    assert flat["scales"][0]["marks"] is None


def test_names_do_not_end_the_script(tmp_path):
    names = [*HOSTILE, "\u2028\ud800", "naïve 名"]
    boxes = np.tile(BOXES[0], (len(names), 1))
    path = BoxDisplay(boxes, names).to_html(tmp_path / "boxes.html", title=HOSTILE[0])
    assert data_of(path)["names"] == names
    head = path.read_text(encoding="utf-8").split("<style>")[0]
    assert "<title>&lt;/script&gt;" in head
    assert "<" not in as_script(names)


def test_addresses(tmp_path):
    path = BoxDisplay(BOXES, NAMES).to_html(tmp_path / "boxes.html")
    page = path.read_text(encoding="utf-8")
    assert Scripts(page).addresses == ["data:,"]
    assert "default-src 'none'" in page
    assert path.stat().st_size < 8e6


def test_volumes():
    logs = np.log(10) * np.array([0, 2.5, -400, 500.6, 499.99999, -6, -np.inf])
    expected = ["1", "316", "1.00e-400", "3.98e500", "1.00e500", "1.00e-6", "0"]
    assert volumes(logs) == expected


def test_bad_input(tmp_path, monkeypatch):
    display = BoxDisplay(BOXES, NAMES)
    with pytest.raises(ValueError, match="title must be a string or None; got 3"):
        display.to_html(tmp_path / "boxes.html", title=3)
    with pytest.raises(ValueError, match="spacing must be one of"):
        display.to_html(tmp_path / "boxes.html", spacing="sqrt")
    with pytest.raises(FileNotFoundError):
        display.to_html(tmp_path / "nowhere" / "boxes.html")
    for module in [name for name in sys.modules if name.split(".")[0] == "plotly"]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ImportError, match=r"needs plotly.*sklearn-task2box\[explore\]"):
        display.to_html(tmp_path / "boxes.html")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium: that of TASK2BOX_CHROMIUM, of the system, or of playwright."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = os.environ.get("TASK2BOX_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
        None,
    )
    with sync_api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(
                executable_path=found, args=["--no-sandbox", "--disable-gpu"]
            )
        except sync_api.Error as error:
            reason = str(error).strip().splitlines()[0]
            pytest.skip(
                f"no Chromium: install one, or name it in TASK2BOX_CHROMIUM ({reason})"
            )
        yield started
        started.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens the page of a display; there must be no errors and no requests."""
    noise, context = [], browser.new_context(viewport={"width": 1200, "height": 800})

    def open_page(display, **options):
        path = display.to_html(tmp_path / "boxes.html", **options)
        page = context.new_page()
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on(
            "request",
            lambda request: request.url == path.as_uri() or noise.append(request.url),
        )
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready]")
        return page

    yield open_page
    context.close()
    assert noise == []


def place(page, x, y):
    """Where on the screen a point of the space is drawn."""
    return page.evaluate(
        """([x, y]) => {
          const area = document.querySelector(".nsewdrag").getBoundingClientRect();
          const {xaxis, yaxis} = document.getElementById("plot").layout;
          const a = xaxis.range, b = yaxis.range;
          return [area.left + (x - a[0]) / (a[1] - a[0]) * area.width,
                  area.bottom - (y - b[0]) / (b[1] - b[0]) * area.height];
        }""",
        [x, y],
    )


def drawn(page):
    """Corners of the boxes marked as containing, inside, and chosen."""
    traces = page.evaluate(
        """() => document.getElementById("plot").data.filter((t) => t.mode === "lines")
          .slice(-3).map((t) => t.x.map((x, k) => [x, t.y[k]]))"""
    )
    return [
        sorted([*points[k], *points[k + 2]] for k in range(0, len(points), 6))
        for points in traces
    ]


def eventually(page, condition):
    """Waits; playwright's own way of it is more than the page allows."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"never happened: {condition}")


def faded(page):
    return page.evaluate("document.getElementById('plot').data[0].opacity")


def texts(page, selector):
    return page.locator(selector).all_text_contents()


@pytest.mark.slow
def test_loads_and_labels(opened):
    page = opened(BoxDisplay(BOXES, NAMES, GROUPS), title="Pets & stones")
    assert page.title() == "Pets & stones"
    assert texts(page, ".legendtext") == ["breed", "kind", "no group"]
    assert set(texts(page, ".textpoint text")) == set(NAMES)
    assert page.locator("#choice").is_hidden()
    assert page.locator("#panel").inner_text().startswith("5 tasks.")
    assert drawn(page) == [[], [], []]


@pytest.mark.slow
def test_pointing_at_a_box_describes_it(opened):
    page = opened(BoxDisplay(BOXES, NAMES, GROUPS))
    assert page.locator("#tip").is_hidden()
    page.mouse.move(*place(page, 1.5, 3.5))
    tip = page.locator("#tip").inner_text().split("\n")
    assert [line for line in tip if line] == [
        "dog",
        "kind",
        "Volume 9, rank 2 of 5",
        "Inside: animal",
        "Contains: poodle",
    ]
    page.mouse.move(*place(page, 9.5, 2))
    assert page.locator("#tip").is_hidden()


@pytest.mark.slow
def test_click_highlights_and_clears(opened):
    page = opened(BoxDisplay(BOXES, NAMES))
    page.mouse.click(*place(page, 1.5, 3.5))
    assert drawn(page) == [[BOXES[0]], [BOXES[2]], [BOXES[1]]]
    assert faded(page) < 0.5
    assert texts(page, "#panel h2") == ["dog"]
    assert texts(page, "#panel h3") == ["Contained in (1)", "Contains (1)"]
    assert texts(page, "#panel li") == ["animal", "poodle"]
    page.mouse.click(*place(page, 1.5, 3.5))  # once more
    assert drawn(page) == [[], [], []]
    assert faded(page) == 1
    page.mouse.click(*place(page, 2.5, 2.5))
    assert drawn(page) == [sorted(BOXES[:2]), [], [BOXES[2]]]
    page.mouse.click(*place(page, 9.5, 2))  # beside all boxes
    assert drawn(page) == [[], [], []]
    for clear in (lambda: page.click("#clear"), lambda: page.keyboard.press("Escape")):
        page.mouse.click(*place(page, 6, 6))
        assert drawn(page)[2] == [BOXES[3]]
        clear()
        assert drawn(page) == [[], [], []]


@pytest.mark.slow
def test_search_finds(opened):
    page = opened(BoxDisplay(BOXES, ["Ánimal", *NAMES[1:]]))
    page.fill("#search", "o")
    assert texts(page, "#results button") == ["dog", "stone", "poodle"]  # by size
    page.fill("#search", "ANIM")
    assert texts(page, "#results button") == ["Ánimal"]
    page.click("#results button")
    assert drawn(page) == [[], sorted(BOXES[1:4]), [BOXES[0]]]
    page.fill("#search", "cat")
    page.press("#search", "Enter")
    assert drawn(page) == [[BOXES[0]], [], [BOXES[3]]]
    assert page.locator("#results").is_hidden()
    page.click("#panel li button")  # the container, by its name in the list
    assert texts(page, "#panel h2") == ["Ánimal"]
    page.fill("#search", "wolf")
    assert page.locator("#results").inner_text() == "No such name"


@pytest.mark.slow
def test_zoom_keeps_what_is_chosen(opened):
    page = opened(BoxDisplay(BOXES, NAMES))
    page.fill("#search", "poodle")
    page.press("#search", "Enter")
    page.click("#near")
    eventually(page, "document.getElementById('plot').layout.xaxis.range.join() === '1,4'")
    assert drawn(page)[2] == [BOXES[2]]
    page.mouse.move(*place(page, 2.5, 2.5))
    page.mouse.wheel(0, -300)
    eventually(
        page,
        "(([a, b]) => b - a < 2.9)(document.getElementById('plot').layout.xaxis.range)",
    )
    page.click("#reset")
    eventually(
        page,
        "(([a, b]) => a < 0 && b > 11)(document.getElementById('plot').layout.xaxis.range)",
    )
    assert drawn(page)[2] == [BOXES[2]]


@pytest.mark.slow
def test_a_group_that_is_switched_off_is_not_pointed_at(opened):
    page = opened(BoxDisplay(BOXES, NAMES, GROUPS))
    page.locator(".legendtoggle").first.click()  # breed
    eventually(page, "document.getElementById('plot').data[0].visible === 'legendonly'")
    page.mouse.click(*place(page, 2.5, 2.5))
    assert texts(page, "#panel h2") == ["dog"]
    assert page.evaluate("document.getElementById('plot').data[0].visible") == "legendonly"


@pytest.mark.slow
def test_pairs_of_dimensions(opened):
    boxes = [[0, 0, 0, 9, 9, 9], [1, 2, 3, 4, 5, 6]]
    page = opened(BoxDisplay(boxes, NAMES[:2]))
    assert "2 of 3 dimensions" in page.locator("#choice").inner_text()
    page.fill("#search", "dog")
    page.press("#search", "Enter")
    assert drawn(page)[2] == [[1, 2, 4, 5]]
    page.select_option("#up", "2")
    assert drawn(page)[2] == [[1, 3, 4, 6]]
    page.select_option("#across", "2")  # they change places
    assert drawn(page)[2] == [[3, 1, 6, 4]]
    assert page.locator("#up").input_value() == "0"


@pytest.mark.parametrize("spacing", ["log", "even"])
@pytest.mark.slow
def test_ticks_of_uneven_axes_are_true_coordinates(opened, spacing):
    page = opened(BoxDisplay(BOXES, NAMES), spacing=spacing)
    scale = data_of_page(page)["scales"][0]
    axis = page.evaluate(
        "(({tickvals, ticktext}) => [tickvals, ticktext])"
        "(document.getElementById('plot').layout.xaxis)"
    )
    marks, values = np.array(axis[0]), [float(t.replace("\u2212", "-")) for t in axis[1]]
    assert len(values) >= 3
    known = (marks >= 0) & (marks <= 1)
    expected = np.interp(marks[known], scale["marks"], scale["values"])
    np.testing.assert_allclose(np.array(values)[known], expected, atol=1e-6)


def data_of_page(page):
    return json.loads(page.locator("#data").text_content())


@pytest.mark.slow
def test_hostile_names_are_text(opened):
    display = BoxDisplay(BOXES, HOSTILE, groups=HOSTILE)
    page = opened(display, title=HOSTILE[1])
    assert page.title() == HOSTILE[1]
    for name in HOSTILE:
        page.fill("#search", name)
        page.press("#search", "Enter")
        assert page.locator("#panel h2").text_content() == name
    page.mouse.move(*place(page, 1.5, 3.5))
    assert page.locator("#tip b").text_content() == HOSTILE[1]
    shown = " ".join(page.locator("#plot text").all_text_contents())
    assert "<b>bold</b>" in shown
    assert page.locator("#plot a, #panel img, #tip img, #results img").count() == 0
    assert page.evaluate("window.injected") is None


@pytest.mark.slow
def test_the_page_itself_forbids_requests(browser, tmp_path):
    path = BoxDisplay(BOXES, NAMES).to_html(tmp_path / "boxes.html")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-ready]")
    blocked = page.evaluate(
        """() => new Promise((done) => {
          document.addEventListener("securitypolicyviolation", () => done(true));
          new Image().src = "http://localhost:9/picture.png";
          setTimeout(() => done(false), 3000);
        })"""
    )
    page.close()
    assert blocked


@pytest.mark.slow
def test_two_thousand_boxes(opened):
    rng = np.random.RandomState(0)
    centres = rng.normal(size=(2000, 2))
    half = 10.0 ** rng.uniform(-3, 0, size=(2000, 1)) * rng.uniform(0.5, 1, (2000, 2))
    display = BoxDisplay(
        np.hstack([centres - half, centres + half]),
        [f"task {i}" for i in range(2000)],
        groups=rng.randint(5, size=2000),
    )
    page = opened(display)
    traces = page.evaluate("document.getElementById('plot').data.length")
    assert traces < 12
    seconds = page.evaluate(
        """() => {
          const start = performance.now();
          document.getElementById("search").value = "task 7";
          document.getElementById("search").dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter"}));
          return (performance.now() - start) / 1000;
        }"""
    )
    assert texts(page, "#panel h2") == ["task 7"]
    assert seconds < 5  # a tenth of a second where nothing else runs
    found = texts(page, ".textpoint text")
    assert "task 7" in found
    assert re.fullmatch(r"task \d+", found[0])
