"""Texts are never run as markup, the strictest CSP holds, and live regions announce little."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.browser.conftest import OpenTab
from tests.e2e.browser.wire import Wire, job, message
from tests.support.waiting import wait_until

INJECTION = (
    '<img src=x onerror="window.harmed = true"><script>window.harmed = true</script><b>x</b>'
)
OVERRIDE = "\u202e"


def test_the_browser_reports_what_the_policy_forbids(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.run(
        "() => { try { document.body.innerHTML = 'x' } catch { window.refused = true } }",
    )
    assert tab.run("window.refused")
    wait_until(lambda: wire.reports)
    # Every other test of this folder fails on a report.
    assert "trusted-types" in wire.reports.pop()


def test_a_page_loads_one_script_and_one_style_sheet(wire: Wire, open_tab: OpenTab) -> None:
    open_tab()
    assert sorted(wire.files) == ["monitio.css", "monitio.js"]


def test_markup_is_shown_as_text_and_never_run(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error", title=INJECTION, body=INJECTION))
    expect(tab.pop_up(1).locator("[part=title]")).to_have_text(INJECTION)
    expect(tab.pop_up(1).locator("[part=body]")).to_have_text(INJECTION)
    tab.part("bell").click()
    expect(tab.entries().locator("[part=body]")).to_have_text(INJECTION)
    assert tab.run("window.harmed") is None


def test_a_link_to_a_script_is_no_link(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error", url="javascript:window.harmed = true", url_label="Go"))
    tab.wait_for(1)
    expect(tab.pop_up(1).locator("a")).to_be_hidden()
    assert tab.pop_up(1).locator("a").get_attribute("href") == ""


def test_a_link_to_another_site_is_one(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, url="https://example.com/x", url_label="Go"))
    expect(tab.pop_up(1).locator("a")).to_have_attribute("href", "https://example.com/x")


def test_bidi_controls_in_a_text_do_not_change_the_direction_around_it(
    wire: Wire, open_tab: OpenTab
) -> None:
    tab = open_tab()
    name = f"gnp.{OVERRIDE}exe"
    wire.put(message(1, title=name, body=name, url="/x", url_label=name))
    expect(tab.pop_up(1)).to_contain_text("gnp.exe")
    assert OVERRIDE not in tab.pop_up(1).inner_text()


def test_live_regions_are_there_and_empty_before_any_message(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    for role in ("status", "alert"):
        region = tab.page.locator(f"monitio-messages [role={role}]")
        expect(region).to_have_count(1)
        expect(region).to_be_empty()


def test_errors_interrupt_and_nothing_else_does(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(message(1, level="error"), message(2, level="warning"))
    tab.wait_to_receive("Warning: M2")
    assert tab.run("window.interrupted") == ["Error: M1"]
    assert sorted(tab.announced()) == ["Error: M1", "Warning: M2"]


def test_a_job_is_announced_at_its_start_and_its_end(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab()
    wire.put(job(1, percent=1.0))
    tab.wait_to_receive("Started: Job. 1%")
    wire.put(job(1, seq=1, percent=2.0), job(1, seq=2, percent=3.0))
    wire.put(job(1, "succeeded", 2, level="success", body="All good"))
    tab.wait_to_receive("Done: Job. All good")
    assert len(tab.announced()) == 2


def test_announced_texts_are_removed_from_the_region(wire: Wire, open_tab: OpenTab) -> None:
    tab = open_tab(clock=True)
    wire.put(message(1, level="error"))
    tab.wait_for(1)
    tab.pass_time(0.5)
    tab.wait_to_receive("Error: M1")
    tab.pass_time(10)
    expect(tab.page.locator("monitio-messages [role=alert]")).to_be_empty()


def test_a_job_that_runs_when_the_page_loads_is_not_announced(
    wire: Wire, open_tab: OpenTab
) -> None:
    wire.store(job(1, percent=10.0))
    tab = open_tab()
    tab.wait_for(1)
    wire.put(message(2, level="error"))
    tab.wait_to_receive("M2")
    assert len(tab.announced()) == 1


CORPUS = (
    INJECTION,
    '"><svg onload="window.harmed = true">',
    "javascript:window.harmed = true",
    "data:text/html,<script>window.harmed = true</script>",
    "</li></ul><iframe srcdoc='<script>top.harmed = true</script>'>",
    "{{ 7 * 7 }} ${window.harmed = true}",
)


def test_nothing_in_any_field_is_ever_run(wire: Wire, open_tab: OpenTab) -> None:
    for pk, bad in enumerate(CORPUS, 1):
        fields = dict.fromkeys(("title", "body", "url", "url_label", "tags", "from"), bad)
        wire.store(message(pk * 2, level="error", **fields))
        wire.store(job(pk * 2 + 1, task=bad, text=bad, title=bad, level="error"))
    tab = open_tab(max=20)
    tab.wait_for(*range(12, 1, -2), *range(13, 2, -2))
    tab.part("bell").click()
    expect(tab.entries()).to_have_count(12)
    for link in tab.entries().locator("a[part=action]").all():
        assert (link.get_attribute("href") or wire.url).startswith(wire.url)
    assert tab.run("window.harmed") is None
