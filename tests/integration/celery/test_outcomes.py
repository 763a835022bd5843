"""Task outcomes, reported by a real prefork worker."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import billiard
import celery
import pytest

from tests.integration.celery.conftest import Site, Worker, revoke_surely, until
from tests.integration.celery.profiles import Profile

pytestmark = [
    pytest.mark.usefixtures("worker"),
    pytest.mark.also_on("sqlite", "rabbitmq", "no-results"),
]


@pytest.mark.main_road
def test_success_is_reported_with_the_authors_texts(site: Site) -> None:
    task = site.start("ann", "report", args=["May"], kwargs={"secret": "xyzzy"})
    site.ends(task, "succeeded")
    message = site.message(task)
    assert message["subject"] == "Monthly report for May: done"
    assert message["message"] == "12 pages"
    assert (message["url"], message["url_label"]) == ("/reports/May", "Download")
    assert message["level"] == "success"
    assert "xyzzy" not in str(message)


@pytest.mark.main_road
def test_success_is_emailed_once(site: Site) -> None:
    task = site.start("ann", "report", args=["June"])
    site.ends(task, "succeeded")
    until(lambda: site.message(task)["mails"] == ["sent"])


def test_a_delayed_email_is_sent_by_the_worker(site: Site) -> None:
    task = site.start("ann", "mailed_unless_read")
    site.ends(task, "succeeded")
    # No beat runs here: the worker schedules it.
    until(lambda: site.message(task)["mails"] == ["sent"])


def test_defaults_read_well(site: Site) -> None:
    task = site.start("ann", "plain_success")
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Plain success: done"
    assert site.message(task)["message"] == ""


def test_a_task_goes_on_with_the_connection_that_reported_its_start(site: Site) -> None:
    task = site.start("ann", "has_a_connection")
    site.ends(task, "succeeded")
    assert site.message(task)["message"] == "True"


def test_the_recipients_language_is_used(site: Site) -> None:
    task = site.start("ann", "plain_success", language="pl")
    assert site.ends(task)["recipients"][0]["lang"] == "pl"


def test_failure_shows_neither_reason_nor_traceback_by_default(site: Site) -> None:
    task = site.start("ann", "fail")
    assert "hunter2" in site.ends(task, "failed")["error"]
    message = site.message(task)
    assert message["subject"] == "Fail: failed"
    assert message["message"].startswith("Something went wrong.")
    assert message["level"] == "error"
    assert "hunter2" not in str(message)
    assert "Traceback" not in str(message)


def test_a_reason_meant_for_people_reaches_them(site: Site) -> None:
    task = site.start("ann", "fail_kindly")
    site.ends(task, "failed")
    message = site.message(task)
    assert message["message"] == "The file is empty."
    assert "Traceback" not in str(message)


@pytest.mark.main_road
def test_two_retries_and_success_are_one_message(site: Site) -> None:
    task = site.start("ann", "flaky")
    assert site.ends(task, "succeeded")["attempt"] == 2
    message = site.message(task)
    assert message["subject"] == "Flaky: done"
    assert message["message"] == "Succeeded on attempt 3."
    assert len(message["mails"]) == 1


def test_a_retry_is_reported_as_trying_again(site: Site) -> None:
    # The second attempt is too late for this test.
    asked = {"failures": 1, "countdown": 3600}
    task = site.start("ann", "flaky", how="apply_async", kwargs=asked)
    until(lambda: (job := site.job(task)) and job["state"] == "retrying")
    assert site.message(task)["subject"] == "Flaky"
    assert site.message(task)["message"] == "Attempt 1 failed."
    assert 3500 < site.waiting_for(task) <= 3600


def test_exhausted_retries_fail(site: Site) -> None:
    task = site.start("ann", "hopeless")
    assert site.ends(task)["state"] == "failed"
    assert site.message(task)["subject"] == "Hopeless: failed"
    assert len(site.message(task)["mails"]) == 1


def test_bad_arguments_fail(site: Site) -> None:
    task = site.send("owned", kwargs={"nonsense": 1}, headers={"monitio": {"to": [{"user": "1"}]}})
    assert site.ends(task)["state"] == "failed"


def test_revoked_before_it_starts(site: Site, worker: Worker) -> None:
    task = str(uuid4())
    revoke_surely(site, worker, task)
    site.start("ann", "plain_success", how="apply_async", options={"task_id": task})
    site.ends(task, "revoked")
    assert site.message(task)["subject"] == "Plain success: cancelled"


def test_expired_before_it_starts(site: Site) -> None:
    options = {"expires": "2020-01-01T00:00:00+00:00"}
    task = site.start("ann", "plain_success", how="apply_async", options=options)
    site.ends(task, "revoked")


def test_a_job_waits_until_its_task_is_due(site: Site) -> None:
    options = {"countdown": 3600, "expires": 7200}
    task = site.start("ann", "plain_success", how="apply_async", options=options)
    assert 7100 < site.waiting_for(task) <= 7200
    site.revoke(task)


def test_a_second_run_under_the_same_id_is_a_job_of_its_own(site: Site, tmp_path: Path) -> None:
    task = f"nightly-{uuid4()}"
    gates = [tmp_path / "first", tmp_path / "second"]
    gates[0].touch()
    for gate in gates:
        asked = {"args": [str(gate)], "options": {"task_id": task}}
        site.start("ann", "wait_for", how="apply_async", **asked)
        gate.touch()
        until(lambda gate=gate: len(site.earlier_runs(task)) == gates.index(gate))  # type: ignore[misc]
        site.ends(task, "succeeded")
    (earlier,) = site.earlier_runs(task)
    for job in (earlier, task):
        assert site.message(job)["subject"] == "Wait for: done"
        assert not any(site.repeat_events(task))


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_revoked_with_terminate(site: Site, gate: Path, signal: str) -> None:
    task = site.start("ann", "wait_for", args=[str(gate)])
    until(lambda: site.job(task)["state"] == "started")
    site.revoke(task, terminate=True, signal=signal)
    site.ends(task, "revoked")
    assert site.message(task)["subject"] == "Wait for: cancelled"


def test_ignore_is_an_end(site: Site) -> None:
    task = site.start("ann", "ignored")
    site.ends(task, "revoked")


def test_reject_without_requeue_fails(site: Site) -> None:
    task = site.start("ann", "rejected")
    site.ends(task, "failed")


def test_a_killed_child_fails(site: Site) -> None:
    task = site.start("ann", "killed")
    site.ends(task, "failed")
    assert site.message(task)["message"].startswith("Something went wrong.")


def test_the_hard_time_limit_fails_once(site: Site) -> None:
    task = site.start("ann", "too_slow")
    site.ends(task, "failed")
    assert len(site.message(task)["mails"]) == 1


def test_the_soft_time_limit_fails_once(site: Site) -> None:
    # Long enough for a busy machine to start the task.
    options = {"soft_time_limit": 1.5}
    task = site.start("ann", "too_slow_softly", how="apply_async", options=options)
    assert "SoftTimeLimitExceeded" in site.ends(task, "failed")["error"]
    assert len(site.message(task)["mails"]) == 1


def test_a_result_that_cannot_be_encoded_fails(site: Site, profile: Profile) -> None:
    task = site.start("ann", "unencodable")
    # Results are encoded only where they are stored.
    site.ends(task, "failed" if profile.results else "succeeded")


def test_an_ignored_result_is_reported(site: Site, profile: Profile) -> None:
    task = site.start("ann", "forgotten")
    site.ends(task, "succeeded")
    assert not profile.results or site.result(task) == "PENDING"
    assert site.message(task)["message"] == "not asked for"


def test_reject_with_requeue_goes_on_with_the_same_message(site: Site, tmp_path: Path) -> None:
    task = site.start("ann", "requeued_once", args=[str(tmp_path / "been here")])
    site.ends(task, "succeeded")
    message = site.message(task)
    assert message["subject"] == "Requeued once: done"
    assert len(message["mails"]) == 1


def test_reject_with_requeue_of_an_acknowledged_message_fails(site: Site) -> None:
    task = site.start("ann", "requeued_in_vain")
    site.ends(task, "failed")
    assert site.message(task)["subject"] == "Requeued in vain: failed"


def test_a_task_that_exits_fails(site: Site) -> None:
    task = site.start("ann", "exits")
    assert "sys.exit" in site.ends(task, "failed")["error"]
    assert site.message(task)["subject"] == "Exits: failed"


@pytest.mark.skipif(
    celery.VERSION < (5, 7) and billiard.VERSION >= (4, 3),
    reason="These two together do not deliver its message again",
)
def test_a_task_that_exits_and_is_redelivered_continues(site: Site, tmp_path: Path) -> None:
    task = site.start("ann", "exits_once", args=[str(tmp_path / "been here")])
    assert site.ends(task)["state"] == "succeeded"
    assert len(site.message(task)["mails"]) == 1


def test_a_killed_child_with_late_ack_fails(site: Site) -> None:
    task = site.start("ann", "killed_with_late_ack")
    site.ends(task, "failed")
    assert site.message(task)["subject"] == "Killed with late ack: failed"


def test_a_killed_child_whose_task_is_redelivered_continues(site: Site, tmp_path: Path) -> None:
    task = site.start("ann", "killed_once", args=[str(tmp_path / "been here")])
    assert site.ends(task)["state"] == "succeeded"
    message = site.message(task)
    assert message["subject"] == "Killed once: done"
    assert len(message["mails"]) == 1


def test_events_that_come_late_change_nothing(site: Site) -> None:
    task = site.start("ann", "report", args=["July"])
    ended = site.ends(task, "succeeded")
    assert not any(site.repeat_events(task))
    assert site.job(task) == ended
    assert len(site.message(task)["mails"]) == 1


def test_an_unregistered_task_that_was_announced_fails(site: Site) -> None:
    task = site.announce_unknown("ann")
    site.ends(task, "failed")


@pytest.mark.parametrize("what", ["replacing", "replacing_by_chain", "replacing_by_chord"])
def test_a_replaced_task_continues_with_its_own_texts(
    site: Site, what: str, profile: Profile
) -> None:
    task = site.start("ann", what)
    # Chords need a result backend.
    fails = what == "replacing_by_chord" and not profile.results
    site.ends(task, "failed" if fails else "succeeded")
    message = site.message(task)
    word = "failed" if fails else "done"
    assert message["subject"] == f"{what.replace('_', ' ').capitalize()}: {word}"
    assert message["to"] == "user:1"


def test_a_silent_job_is_interrupted_and_comes_back(site: Site, gate: Path) -> None:
    task = site.start("ann", "wait_for", args=[str(gate)])
    until(lambda: site.job(task)["state"] == "started")
    # A heartbeat may arrive between the two calls.
    until(lambda: site.age_heartbeat(task) or site.sweep())
    # The next heartbeat corrects the sweep's result.
    until(lambda: site.job(task)["state"] == "started")
    assert site.message(task)["subject"] == "Wait for"
    gate.touch()
    site.ends(task, "succeeded")
    assert site.message(task)["subject"] == "Wait for: done"


def test_a_worker_keeps_its_running_jobs_alive(site: Site, gate: Path) -> None:
    task = site.start("ann", "wait_for", args=[str(gate)])
    until(lambda: site.job(task)["state"] == "started")
    site.age_heartbeat(task)
    long_ago = site.alive_at(task)
    until(lambda: site.alive_at(task) > long_ago)
    assert site.sweep() == 0
    gate.touch()
    site.ends(task, "succeeded")
