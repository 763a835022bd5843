"""One message for a whole canvas, with a real worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.celery.conftest import EventListener, OwnWorkers, Site, until

pytestmark = [pytest.mark.usefixtures("worker"), pytest.mark.also_on("sqlite")]


def group_job(site: Site, **asked: Any) -> str:
    """Start a canvas; the id of the group's job."""
    before = set(site.jobs(integration="celery.group"))
    site.start("ann", how="call", **asked)
    (job,) = until(lambda: set(site.jobs(integration="celery.group")) - before)
    return str(job)


def test_a_chord_has_one_message_and_one_end(site: Site) -> None:
    job = group_job(site, what="one_bar")
    ended = site.ends(job)
    assert ended["state"] == "succeeded"
    assert (ended["done"], ended["total"]) == (9, 9)
    message = site.message(job)
    assert message["subject"] == "Nightly import: done"
    assert message["message"] == "Sum: 28"
    assert message["to"] == "user:1"
    assert site.named_ids("part") == []


def test_its_bar_moves_by_parts(site: Site, listener: EventListener, gate: Path) -> None:
    job = group_job(site, what="one_bar", kwargs={"path": str(gate)})
    until(lambda: any(bar["done"] == 1 and bar["total"] == 9 for bar in listener.bars(job)))
    assert site.job(job)["state"] == "started"
    gate.touch()
    site.ends(job, "succeeded")


def test_failed_parts_are_counted_and_end_it(site: Site) -> None:
    job = group_job(site, what="one_bar", kwargs={"bad": [2, 5]})
    site.ends(job, "failed")
    message = site.message(job)
    assert message["subject"] == "Nightly import: failed"
    # Two members and the body, which never ran.
    assert message["message"] == "6 of 9 parts are done, 3 failed."


def test_a_group_without_a_body(site: Site) -> None:
    ended = site.ends(group_job(site, what="one_bar_group"))
    assert (ended["state"], ended["done"]) == ("succeeded", 8)


def test_a_chain_that_breaks_counts_what_never_ran(site: Site) -> None:
    job = group_job(site, what="one_bar_chain")
    site.ends(job, "failed")
    assert site.message(job)["message"] == "1 of 4 parts are done, 3 failed."


def test_a_decorated_part_has_no_message_of_its_own(site: Site) -> None:
    before = site.named_ids("plain_success")
    site.ends(group_job(site, what="one_bar_decorated"), "succeeded")
    assert site.named_ids("plain_success") == before


def test_a_task_that_a_part_starts_is_no_part(site: Site) -> None:
    ended = site.ends(group_job(site, what="one_bar_with_children"))
    assert (ended["state"], ended["total"]) == ("succeeded", 2)


def test_another_user_may_be_named(site: Site) -> None:
    job = group_job(site, what="one_bar_for", args=[2])
    site.ends(job)
    assert site.message(job)["to"] == "user:2"


def test_what_replaces_a_part_is_that_part(site: Site) -> None:
    ended = site.ends(group_job(site, what="one_bar_with_replacement"))
    assert (ended["state"], ended["done"]) == ("succeeded", 2)


def test_progress_inside_a_part_moves_the_bar(site: Site, gate: Path) -> None:
    job = group_job(site, what="one_bar_in_halves", args=[str(gate)])
    until(lambda: site.job(job)["done"] == 1.5)
    assert site.job(job)["total"] == 2
    gate.touch()
    assert site.ends(job, "succeeded")["done"] == 2


def test_canvases_inside_canvases(site: Site) -> None:
    ended = site.ends(group_job(site, what="one_bar_nested"))
    assert (ended["state"], ended["done"], ended["total"]) == ("succeeded", 6, 6)


def test_a_group_of_nothing_ends(site: Site) -> None:
    ended = site.ends(group_job(site, what="one_bar_of_nothing"))
    assert ended["state"] == "succeeded"


def test_a_redelivered_part_is_counted_once(site: Site, tmp_path: Path) -> None:
    job = group_job(site, what="one_bar_of_mishaps", args=[str(tmp_path / "been here")])
    ended = site.ends(job)
    assert (ended["state"], ended["done"]) == ("succeeded", 3)


def test_a_part_whose_worker_dies_ends_the_group(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    worker = own_workers.start_worker()
    job = group_job(site, what="one_bar_here_and_there", args=[str(gate), own_workers.queue])
    until(lambda: site.running_parts(job) == [0])
    worker.kill()
    site.age_group_heartbeats(job)
    site.sweep()
    site.ends(job, "failed")
    # The member that died, and the body that waits for it.
    assert site.message(job)["message"] == "1 of 3 parts are done, 2 failed."


def test_cancelling_a_group_ends_all_of_it(site: Site, own_workers: OwnWorkers, gate: Path) -> None:
    own_workers.start_worker()
    job = group_job(site, what="one_bar_to_cancel", args=[str(gate), own_workers.queue])
    until(lambda: site.running_parts(job))
    site.start("bob", "plain_success")
    assert site.cancel("bob", job) == 404
    assert site.cancel("ann", job) == 302
    site.ends(job, "revoked")
    assert site.message(job)["subject"] == "Long one: cancelled"
    # Tasks still in the queue are dropped.
    until(lambda: site.queue_length(own_workers.queue) == 0)
    until(lambda: site.running_parts(job) == [])


def test_a_worker_started_later_does_not_begin_a_cancelled_group(
    site: Site, own_workers: OwnWorkers, gate: Path
) -> None:
    job = group_job(site, what="one_bar_to_cancel", args=[str(gate), own_workers.queue])
    assert site.cancel("ann", job) == 302
    assert site.job(job)["state"] == "revoked"
    own_workers.start_worker()
    until(lambda: site.queue_length(own_workers.queue) == 0)
    until(lambda: site.running_parts(job) == [])


def test_parts_that_a_dying_broker_did_not_take_are_tried_again(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "rows"
    runs = Path(f"{path}.runs")
    first = group_job(site, what="again_group", args=[str(path)])
    site.ends(first, "failed")
    path.touch()
    runs.write_text("")
    status, second = site.retry_as_the_broker_dies("ann", first, 1)
    assert (status, second != first) == (503, True)
    site.ends(second, "failed")
    assert site.message(second)["message"] == "3 of 4 parts are done, 1 failed."
    status, third = site.retry("ann", second)
    assert status == 302
    site.ends(third, "succeeded")
    assert runs.read_text().split() == ["2", "4"]
    assert len(site.message_ids(third)) == 1


@pytest.mark.parametrize(
    ("what", "before", "after", "text"),
    [
        ("again_chord", "1 2 3 4", "2 4", "Sum: 10"),
        ("again_group", "1 2 3 4", "2 4", ""),
        # Step 3 follows step 2.
        ("again_nested", "1 2 5 7", "2 3", "Sum: 15"),
    ],
)
def test_only_the_failed_parts_are_tried_again(
    site: Site, tmp_path: Path, what: str, before: str, after: str, text: str
) -> None:
    path = tmp_path / "rows"
    runs = Path(f"{path}.runs")
    first = group_job(site, what=what, args=[str(path)])
    site.ends(first, "failed")
    assert sorted(runs.read_text().split()) == before.split()
    (pk,) = site.message_ids(first)
    path.touch()
    runs.write_text("")
    status, second = site.retry("ann", first)
    # The second click finds a running or ended job.
    site.retry("ann", second)
    assert (status, second != first) == (302, True)
    ended = site.ends(second, "succeeded")
    assert ended["done"] == ended["total"]
    assert sorted(runs.read_text().split()) == after.split()
    assert site.message_ids(second) == [pk]
    assert (site.message(second)["subject"], site.message(second)["message"]) == (
        "Again: done",
        text,
    )
    assert site.former_ends(second) == ["failed"]
