"""Who is told, whatever way a task was started."""

from __future__ import annotations

import pytest

from tests.celery.conftest import Site, until

pytestmark = pytest.mark.usefixtures("worker")


def told(site: Site, task: str) -> list[str]:
    """The recipients of a job that has ended."""
    site.ends(task)
    return [message["to"] for message in site.messages(task)]


def test_the_one_who_asked(site: Site) -> None:
    assert told(site, site.start("bob", "plain_success")) == ["user:2"]


def test_a_visitor_by_token_and_never_by_session_key(site: Site) -> None:
    task = site.start("?one", "plain_success")
    (key,) = told(site, task)
    assert key.startswith("visitor:")
    assert site.session_key("?one") not in str(site.job(task))


def test_nobody_when_nobody_asked(site: Site) -> None:
    before = site.count_messages()
    task = site.send("plain_success")
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None
    assert site.count_messages() == before


def test_a_task_without_the_decorator_says_nothing(site: Site) -> None:
    task = site.start("ann", "part", args=[1])
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None


def test_both_steps_of_a_chain(site: Site) -> None:
    first, second = site.start("bob", "two_steps", how="call").split()
    assert told(site, first) == told(site, second) == ["user:2"]
    assert site.message(second)["subject"] == "Step two: done"


def test_the_body_of_a_chord(site: Site) -> None:
    assert told(site, site.start("bob", "chord_with_notified_body", how="call")) == ["user:2"]


def test_a_child_of_a_task_without_the_decorator(site: Site) -> None:
    parent = site.start("bob", "plain_parent")
    child = until(lambda: site.value(parent))
    assert told(site, child) == ["user:2"]


def test_a_callback(site: Site) -> None:
    task = site.start("bob", "linked", how="call")
    child = until(lambda: site.children_named("plain_success", task))
    assert told(site, child) == ["user:2"]


def test_a_named_argument_beats_the_one_who_asked(site: Site) -> None:
    assert told(site, site.start("bob", "owned", args=[1])) == ["user:1"]
    assert told(site, site.start("bob", "owned", kwargs={"owner_id": 1})) == ["user:1"]


def test_a_named_argument_is_enough_without_a_request(site: Site) -> None:
    assert told(site, site.send("owned", 1)) == ["user:1"]


def test_a_named_argument_of_none_tells_nobody(site: Site) -> None:
    task = site.start("bob", "owned")
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None


def test_a_function_may_name_several(site: Site) -> None:
    assert told(site, site.start("bob", "for_many", args=[1, 2])) == ["user:1", "user:2"]


def test_a_user_who_is_no_more_is_left_out(site: Site) -> None:
    assert told(site, site.start("bob", "for_many", args=[1, 999])) == ["user:1"]


def test_notify_beats_what_is_inherited(site: Site) -> None:
    parent = site.start("bob", "for_somebody_else", args=[1])
    child = until(lambda: site.value(parent))
    assert told(site, child) == ["user:1"]


def test_a_header_given_at_the_call_beats_everything(site: Site) -> None:
    options = {"headers": {"monitio": {"to": [{"user": "1"}]}}}
    task = site.start("bob", "plain_success", how="apply_async", options=options)
    assert told(site, task) == ["user:1"]


def test_a_header_that_is_no_header_harms_nobody(site: Site) -> None:
    task = site.send("plain_success", headers={"monitio": {"to": [7, {"user": None}]}})
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None


def test_delay_on_commit_still_knows_who_asked(site: Site) -> None:
    before = set(site.jobs())
    site.start("bob", "plain_success", how="delay_on_commit")
    (task,) = until(lambda: set(site.jobs()) - before)
    assert told(site, task) == ["user:2"]


def test_a_rolled_back_view_announces_nothing(site: Site) -> None:
    before = set(site.jobs())
    assert site.start("bob", "plain_success", how="delay_on_commit", rollback=True) == 500
    options = {"countdown": 3600}
    assert site.start("bob", "owned", how="apply_async", options=options, rollback=True) == 500
    # A later task has come and gone: nothing of the two was ever written.
    told(site, site.start("bob", "plain_success", args=[]))
    assert len(set(site.jobs()) - before) == 1


def test_an_async_view(site: Site) -> None:
    assert told(site, site.start_in_async_view("bob")) == ["user:2"]


def test_a_query_that_fails_leaves_the_views_transaction_whole(site: Site) -> None:
    task = site.start("bob", "broken_user")
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None
