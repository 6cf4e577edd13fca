"""The page of `jetpackc viz` in a real browser.

Needs Chromium, which comes from the system, so it is run by name: pytest tests/browser/browser_viz.py
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from visible import viz

SHOP = """
module shop
/// One <b>order</b> & all.
machine checkout(order_id: bigint) {
  initial state cart { on PAID -> paying }
  state paying {
    initial state paid { on SENT -> sent }
    state sent { on ARRIVED -> done  enter { spawn parcel(n: 1) } }
  }
  final state done
}
machine parcel(n: int) { initial state here { on GO when n > 0 and "<script>" != "</svg>" -> there } final state there }
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        assert path, "install Chromium: apt-get install chromium"
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "workflows.jet").write_text(SHOP)
    return tmp_path


class Shown:
    """A page, and what the browser said while it was shown."""

    def __init__(self, browser: Browser, port: int) -> None:
        self.page: Page = browser.new_page(timezone_id="Asia/Kolkata", locale="en-GB")
        self.port = port
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        self.page.goto(f"http://localhost:{port}/#shop.checkout")

    def count(self, state: str, text: str) -> None:
        """Wait until a box bears a count."""
        expect(self.page.locator(f'[data-box="{state}"] > .count text')).to_have_text(text, timeout=10_000)

    def none(self, state: str) -> None:
        expect(self.page.locator(f'[data-box="{state}"] > .count')).to_have_count(0, timeout=10_000)

    def status(self, text: str) -> None:
        expect(self.page.locator("#status")).to_contain_text(text, timeout=10_000)

    def close(self) -> None:
        assert self.complaints == []
        assert self.hosts == {f"localhost:{self.port}"}
        self.page.close()


def test_counts_appear_move_and_go_back_in_time(browser: Browser, project: Path, fresh: Callable[[str], str]) -> None:
    dsn = fresh(SHOP)
    with psycopg.connect(dsn, autocommit=True) as connection, viz(project, "--dsn", dsn) as port:
        shown = Shown(browser, port)
        shown.status("Live")
        shown.none("cart")
        connection.execute("update jet.clock set shift = '-2 hours'")
        connection.execute("select shop.checkout_create(n) from generate_series(1, 1200) n")
        shown.count("cart", "1,200")
        connection.execute("update jet.clock set shift = '0'")
        connection.execute("select shop.checkout_send(id, 'PAID') from shop.checkout order by id limit 3")
        shown.count("cart", "1,197")
        shown.count("paid", "3")
        shown.count("paying", "3")
        expect(shown.page.locator("#rows tr", has_text="all")).to_contain_text("1,200")

        shown.page.get_by_role("button", name="−1 h").click()
        shown.status("As of")
        shown.count("cart", "1,200")
        shown.none("paid")
        shown.page.get_by_label("As of").fill("2001-01-01T00:00:00")
        shown.none("cart")
        shown.page.get_by_role("button", name="Live").click()
        shown.count("paid", "3")
        shown.close()


HELD = """
module shop
event UNDO
event LATE
machine order(tenant: text) {
  limit 2 per tenant
  limit 100 per 1m
  defer LATE
  initial step charging(max_attempts: 3) {
    run "a:b"
    on SUCCESS   -> sending
    on ABANDONED -> refused
  }
  state sending {
    enter { spawn parcel(n: 1) as first }
    on LOST -> refused { send first UNDO }
    on LATE -> done
  }
  final state done
  failure state refused
}
machine parcel(n: int) { initial state here { on UNDO -> there } final state there { enter { send parent LATE } } }
"""


def test_pauses_messages_and_limits_are_seen(browser: Browser, tmp_path: Path, fresh: Callable[[str], str]) -> None:
    (tmp_path / "workflows.jet").write_text(HELD)
    dsn = fresh(HELD)
    with psycopg.connect(dsn, autocommit=True) as connection, viz(tmp_path, "--dsn", dsn) as port:
        connection.execute("select shop.order_create('a') from generate_series(1, 3)")
        connection.execute("select shop.order_send(1, 'LATE')")
        connection.execute("select jet.pause('shop.order', 'charging')")
        shown = Shown(browser, port)
        shown.page.goto(f"http://localhost:{port}/#shop.order")
        shown.count("charging.ready", "3")
        queue = shown.page.locator('[data-box="charging.ready"]')
        expect(queue.locator("> .pause title")).to_have_text("paused: no worker takes tasks from here")
        expect(shown.page.locator("#paused")).to_have_text("Paused: charging.ready")
        expect(shown.page.locator("#waiting li")).to_have_text(["1 event deferred", "limit 100 per 1m: 0 begun"])
        expect(shown.page.locator("g.send")).to_have_count(1)
        connection.execute("select jet.resume('shop.order')")
        expect(queue.locator("> .pause")).to_have_count(0, timeout=10_000)
        expect(shown.page.locator("#paused")).to_be_empty()
        connection.execute("select jet.pause('shop.order')")
        expect(shown.page.locator("#paused")).to_have_text("Paused: the whole machine", timeout=10_000)
        expect(queue.locator("> .pause")).to_have_count(1)
        shown.page.get_by_role("button", name="−1 h").click()
        shown.status("As of")
        expect(shown.page.locator("#paused")).to_be_empty()
        expect(shown.page.locator("#waiting li")).to_have_count(0)
        shown.close()


def test_a_picked_time_is_in_the_browsers_zone(browser: Browser, project: Path, fresh: Callable[[str], str]) -> None:
    dsn = fresh(SHOP)
    with psycopg.connect(dsn, autocommit=True) as connection, viz(project, "--dsn", dsn) as port:
        noon = "timestamptz '2026-03-01 12:00:00 Asia/Kolkata'"
        connection.execute(f"update jet.clock set shift = {noon} - clock_timestamp()")
        connection.execute("select shop.checkout_create(1)")
        shown = Shown(browser, port)
        shown.count("cart", "1")
        shown.page.get_by_label("As of").fill("2026-03-01T11:59:30")
        shown.none("cart")
        shown.page.get_by_role("button", name="+1 h").click()
        shown.count("cart", "1")
        expect(shown.page.get_by_label("As of")).to_have_value("2026-03-01T12:59:30")
        shown.close()


def test_a_lost_database_shows_and_comes_back(browser: Browser, project: Path, fresh: Callable[[str], str]) -> None:
    dsn = fresh(SHOP)
    name = dsn.rpartition("dbname=")[2]
    with psycopg.connect(dsn.replace(name, "postgres"), autocommit=True) as admin, viz(project, "--dsn", dsn) as port:
        shown = Shown(browser, port)
        shown.status("Live")
        admin.execute(f"alter database {name} allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        shown.status("the database cannot be reached: ")
        admin.execute(f"alter database {name} allow_connections true")
        shown.status("Live")
        shown.close()


def test_the_page_follows_a_save_and_shows_a_mistake(browser: Browser, project: Path) -> None:
    with viz(project) as port:
        shown = Shown(browser, port)
        shown.status("Charts alone")
        expect(shown.page.locator("#doc")).to_have_text("One <b>order</b> & all.")
        expect(shown.page.locator("#time")).to_be_hidden()
        (project / "workflows.jet").write_text(SHOP.replace("-> done", "-> doen"))
        expect(shown.page.locator("#mistakes")).to_contain_text("J101", timeout=10_000)
        expect(shown.page.locator('[data-box="done"]')).to_be_visible()
        (project / "workflows.jet").write_text(SHOP.replace("done", "delivered"))
        expect(shown.page.locator('[data-box="delivered"]')).to_be_visible(timeout=10_000)
        expect(shown.page.locator("#mistakes")).to_be_hidden()
        shown.close()


def test_the_keyboard_reaches_everything(browser: Browser, project: Path, fresh: Callable[[str], str]) -> None:
    with viz(project, "--dsn", fresh(SHOP)) as port:
        shown = Shown(browser, port)
        shown.status("Live")
        names = []
        while (name := shown.page.evaluate("document.activeElement.textContent.trim()")) != "parcel":
            shown.page.keyboard.press("Tab")
            names.append(name)
            assert len(names) < 60, names
        assert {"Skip to the chart", "Live", "−1 h", "Fit", "shop.checkout", "shop.parcel"} <= set(names)
        shown.page.keyboard.press("Enter")
        expect(shown.page.locator("h1")).to_have_text("shop.parcel")
        expect(shown.page.get_by_text('GO [n > 0 and "<script>" != "</svg>"]')).to_have_count(1)
        shown.close()


def test_light_and_dark(browser: Browser, project: Path) -> None:
    with viz(project) as port:
        shown = Shown(browser, port)
        paper = "getComputedStyle(document.body).backgroundColor"
        shown.page.emulate_media(color_scheme="light")
        assert shown.page.evaluate(paper) == "rgb(255, 255, 255)"
        shown.page.emulate_media(color_scheme="dark")
        assert shown.page.evaluate(paper) == "rgb(13, 17, 23)"
        shown.close()
