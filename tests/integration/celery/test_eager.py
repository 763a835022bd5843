"""Tasks that run inside the request, without publish signals and worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.celery.conftest import Site, until


def new_job(site: Site, what: str, **asked: object) -> dict[str, str]:
    before = set(site.jobs())
    site.start("ann", what, **asked)
    (task,) = set(site.jobs()) - before
    return {"task": task, **site.job(task)}


def test_success(eager_site: Site) -> None:
    job = new_job(eager_site, "report", args=["May"])
    assert job["state"] == "succeeded"
    message = eager_site.message(job["task"])
    assert message["to"] == "user:1"
    assert message["url"] == "/reports/May"


def test_failure(eager_site: Site) -> None:
    assert new_job(eager_site, "fail")["state"] == "failed"


@pytest.fixture
def propagating_site(site: Site, environment: dict[str, str]) -> Iterator[Site]:
    """A site whose tasks raise their exceptions in the view."""
    propagating = Site({**environment, "TEST_EAGER": "propagate"})
    yield propagating
    propagating.close()


def test_failure_that_the_view_raises_is_rolled_back_with_it(propagating_site: Site) -> None:
    before = propagating_site.jobs()
    assert propagating_site.start("ann", "fail") == 500
    assert propagating_site.jobs() == before
    job = new_job(propagating_site, "caught_failure", how="call")
    assert job["state"] == "failed"


def test_failure_that_the_view_catches(eager_site: Site) -> None:
    job = new_job(eager_site, "caught_failure", how="call")
    assert job["state"] == "failed"
    assert eager_site.message(job["task"])["subject"] == "Fail: failed"


def test_the_email_is_sent(eager_site: Site) -> None:
    job = new_job(eager_site, "report", args=["June"])
    until(lambda: eager_site.message(job["task"])["mails"] == ["sent"])


def test_a_child_keeps_the_owner(eager_site: Site) -> None:
    assert new_job(eager_site, "plain_parent")["state"] == "succeeded"


def test_a_bar_inside_the_request(eager_site: Site) -> None:
    job = new_job(eager_site, "count_in_a_thread")
    assert job["state"] == "succeeded"


def test_a_canvas_has_one_message(eager_site: Site) -> None:
    before = eager_site.count_messages()
    job = new_job(eager_site, "one_bar_group", how="call")
    assert (job["state"], job["done"]) == ("succeeded", 8)
    assert eager_site.count_messages() == before + 1
