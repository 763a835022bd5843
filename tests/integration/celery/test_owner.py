"""The recipients of a task, for every way to start it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import celery
import pytest

from tests.integration.celery.conftest import OwnWorkers, Site, Worker, until

pytestmark = pytest.mark.usefixtures("worker")


def recipients(site: Site, task: str) -> list[str]:
    """The recipients of a job that has ended."""
    site.ends(task)
    return [message["to"] for message in site.messages(task)]


def test_the_user_of_the_request_is_notified(site: Site) -> None:
    assert recipients(site, site.start("bob", "plain_success")) == ["user:2"]


def test_a_visitor_by_token_and_never_by_session_key(site: Site) -> None:
    task = site.start("?one", "plain_success")
    (key,) = recipients(site, task)
    assert key.startswith("visitor:")
    assert site.session_key("?one") not in str(site.job(task))


def test_without_a_request_there_are_no_recipients(site: Site) -> None:
    task = site.send("plain_success")
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None
    assert site.messages(task) == []


def test_a_task_without_the_decorator_reports_nothing(site: Site) -> None:
    task = site.start("ann", "part", args=[1])
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None


def test_both_steps_of_a_chain(site: Site) -> None:
    first, second = site.start("bob", "two_steps", how="call").split()
    assert recipients(site, first) == recipients(site, second) == ["user:2"]
    assert site.message(second)["subject"] == "Step two: done"


def test_the_body_of_a_chord(site: Site) -> None:
    assert recipients(site, site.start("bob", "chord_with_notified_body", how="call")) == ["user:2"]


@pytest.mark.parametrize("what", ["group_of_two", "chord_of_two"])
def test_each_task_of_a_canvas(site: Site, what: str) -> None:
    for task in site.start("bob", what, how="call").split():
        assert recipients(site, task) == ["user:2"]


def test_a_child_of_a_task_without_the_decorator(site: Site) -> None:
    parent = site.start("bob", "plain_parent")
    child = until(lambda: site.value(parent))
    assert recipients(site, child) == ["user:2"]


def test_a_callback(site: Site) -> None:
    task = site.start("bob", "linked", how="call")
    child = until(lambda: site.children_named("plain_success", task))
    assert recipients(site, child) == ["user:2"]


def test_a_named_argument_takes_precedence_over_the_requests_user(site: Site) -> None:
    assert recipients(site, site.start("bob", "owned", args=[1])) == ["user:1"]
    assert recipients(site, site.start("bob", "owned", kwargs={"owner_id": 1})) == ["user:1"]


def test_a_named_argument_is_enough_without_a_request(site: Site) -> None:
    assert recipients(site, site.send("owned", 1)) == ["user:1"]


def test_a_named_argument_of_none_notifies_no_one(site: Site) -> None:
    task = site.start("bob", "owned")
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None


def test_a_function_may_name_several(site: Site) -> None:
    assert recipients(site, site.start("bob", "for_many", args=[1, 2])) == ["user:1", "user:2"]


def test_the_staff(site: Site) -> None:
    for name in ("sue", "sam"):
        site.add_user(name)
        site.make_staff(name)
    task = site.start("bob", "for_staff")
    site.ends(task, "succeeded")
    messages = site.messages(task)
    assert len({message["to"] for message in messages}) == len(messages) == 2


def test_the_members_of_a_group(site: Site) -> None:
    site.add_group("editors", "ann", "bob")
    task = site.start("bob", "for_members", args=["editors"])
    assert sorted(recipients(site, task)) == ["user:1", "user:2"]


def test_a_deleted_user_is_ignored(site: Site) -> None:
    assert recipients(site, site.start("bob", "for_many", args=[1, 999])) == ["user:1"]


def test_notify_takes_precedence_over_inherited_recipients(site: Site) -> None:
    parent = site.start("bob", "for_another_user", args=[1])
    child = until(lambda: site.value(parent))
    assert recipients(site, child) == ["user:1"]


def test_a_header_given_at_the_call_takes_precedence(site: Site) -> None:
    options = {"headers": {"monitio": {"to": [{"user": "1"}]}}}
    task = site.start("bob", "plain_success", how="apply_async", options=options)
    assert recipients(site, task) == ["user:1"]


def test_a_malformed_header_is_ignored(site: Site) -> None:
    task = site.send("plain_success", headers={"monitio": {"to": [7, {"user": None}]}})
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None


@pytest.mark.parametrize("how", ["delay_on_commit", "apply_async_on_commit"])
def test_delay_on_commit_keeps_the_requests_user(site: Site, how: str) -> None:
    before = set(site.jobs())
    site.start("bob", "plain_success", how=how)
    (task,) = until(lambda: set(site.jobs()) - before)
    assert recipients(site, task) == ["user:2"]


def test_a_rolled_back_view_announces_nothing(site: Site) -> None:
    before = set(site.jobs())
    assert site.start("bob", "plain_success", how="delay_on_commit", rollback=True) == 500
    options = {"countdown": 3600}
    assert site.start("bob", "owned", how="apply_async", options=options, rollback=True) == 500
    # A later task has ended, so the rolled-back ones would have been reported by now.
    recipients(site, site.start("bob", "plain_success", args=[]))
    assert len(set(site.jobs()) - before) == 1


def test_an_async_view(site: Site) -> None:
    assert recipients(site, site.start_in_async_view("bob")) == ["user:2"]


def test_a_failed_query_keeps_the_views_transaction_usable(site: Site) -> None:
    task = site.start("bob", "broken_user")
    until(lambda: site.result(task) == "SUCCESS")
    assert site.job(task) is None


@pytest.mark.parametrize("what", ["errback_of_a_failure", "errback_of_a_death"])
def test_an_errback_even_if_others_use_it_too(site: Site, what: str) -> None:
    for who, key in (("ann", "user:1"), ("bob", "user:2")):
        before = set(site.named_ids("after_failure"))
        site.start(who, what, how="call")
        (errback,) = until(lambda: set(site.named_ids("after_failure")) - before)  # noqa: B023
        assert recipients(site, errback) == [key]
        assert site.message(errback)["subject"] == "After a failure: done"


@pytest.mark.parametrize("what", ["mapped", "starmapped"])
def test_a_map_is_one_job_of_the_mapped_task(site: Site, what: str) -> None:
    task = site.start("bob", what, how="call")
    assert recipients(site, task) == ["user:2"]
    assert site.message(task)["subject"] == "Notified step: done"


def test_each_chunk_is_a_job(site: Site) -> None:
    for task in site.start("bob", "chunked", how="call").split():
        assert recipients(site, task) == ["user:2"]


def test_a_task_of_a_class_of_its_own(site: Site) -> None:
    assert recipients(site, site.start("bob", "of_a_class_of_its_own")) == ["user:2"]


@pytest.mark.skipif(find_spec("pydantic") is None, reason="pip install pydantic")
@pytest.mark.skipif(celery.VERSION < (5, 5), reason="Celery knows pydantic since 5.5")
def test_a_task_whose_arguments_pydantic_checks(site: Site) -> None:
    task = site.start("bob", "validated", args=[{"name": "May"}])
    assert recipients(site, task) == ["user:2"]
    site.ends(task, "succeeded")


def test_retries_of_autoretry_for(site: Site) -> None:
    task = site.start("bob", "retried_by_itself")
    assert recipients(site, task) == ["user:2"]
    assert site.job(task)["attempt"] == 2


@pytest.mark.parametrize("options", [{"countdown": 0.2}, {"eta": "2020-01-01T00:00:00+00:00"}])
def test_a_task_of_later(site: Site, options: dict[str, object]) -> None:
    task = site.start("bob", "plain_success", how="apply_async", options=options)
    assert recipients(site, task) == ["user:2"]


def test_a_task_without_a_starter_is_logged_once(site: Site, own_workers: OwnWorkers) -> None:
    worker = own_workers.start_worker()
    task = site.send("plain_success", queue=own_workers.queue)
    until(lambda: site.result(task) == "SUCCESS")
    assert worker.log.read_text().count("has no recipients") == 1


def test_a_user_who_is_deleted_meanwhile(site: Site, worker: Worker, gate: Path) -> None:
    site.add_user("carl")
    task = site.start("carl", "wait_for", args=[str(gate)])
    until(lambda: site.job(task)["state"] == "started")
    site.delete_user("carl")
    gate.touch()
    assert site.ends(task)["state"] == "succeeded"
    assert site.messages(task) == []
    assert until(lambda: site.result(task) == "SUCCESS")


def test_a_session_that_is_gone_is_ignored(site: Site, gate: Path) -> None:
    task = site.start("?gone", "wait_for", args=[str(gate)])
    until(lambda: site.job(task)["state"] == "started")
    site.forget_session("?gone")
    gate.touch()
    site.ends(task, "succeeded")
    assert until(lambda: site.result(task) == "SUCCESS")


@pytest.mark.also_on("rabbitmq")
def test_the_broker_never_sees_a_session_key(site: Site) -> None:
    options = {"queue": "without-worker"}
    site.start("?two", "plain_success", how="apply_async", options=options)
    raw = site.queued_message("without-worker")
    assert '"monitio": {"to": [{"visitor": "' in raw
    assert site.session_key("?two") not in raw


def test_each_recipient_gets_it_in_their_language(site: Site) -> None:
    task = site.start("ann", "plain_success", language="pl")
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Plain success: gotowe"
