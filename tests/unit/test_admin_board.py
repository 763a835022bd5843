"""The admin's board: content, permissions and buttons."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from monitio import dispatch, scope
from monitio.constants import State
from monitio.jobs import board
from monitio.jobs.retry import stored_call
from monitio.models import Job, Message
from monitio.recipients import Recipient
from tests.support import scopes
from tests.support.jobs import reporter
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The jobs that were retried or cancelled."""
    calls: list[Any] = []
    monkeypatch.setattr(dispatch, "hooks", dispatch.Hooks())
    dispatch.hooks.retry["mine"] = lambda job, call: calls.append(job.pk)
    dispatch.hooks.cancel["mine"] = calls.append
    return calls


def staff(client: Client, *permissions: str) -> Client:
    who = user("staff", is_staff=True)
    who.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(who)
    return client


def url(**query: str) -> str:
    return f"{reverse('admin:monitio_job_board')}?{urlencode(query)}"


def job(number: int, state: str, age: float = 60, **fields: Any) -> Job:
    moment = timezone.now() - timedelta(seconds=age)
    ended = {"finished_at": moment} if state in State.ENDED else {}
    began = {"started_at": moment - timedelta(seconds=2)} if state not in board.WAITING else {}
    created = moment - timedelta(seconds=3)
    values = {"name": "shop.monthly_report", "integration": "mine", "created": created, **fields}
    values = {"recipients": [Recipient.of(user()).to_dict()], "alive_at": timezone.now(), **values}
    return Job.objects.create(task_id=str(number), state=state, **ended, **began, **values)


def failed(number: int) -> Job:
    """A failed job that can be retried."""
    call = stored_call("shop.monthly_report", [number], {})
    mine = reporter(user(), task=str(number), integration="mine", call=call)
    mine.started()
    mine.failed("no bank")
    return Job.objects.get(task_id=str(number))


def test_it_shows_running_waiting_failed_and_ended_jobs(client: Client) -> None:
    job(1, State.STARTED, completed=20, total=50)
    job(2, State.QUEUED)
    job(3, State.SUCCEEDED)
    failed(4)
    page = staff(client, "view_job", "view_message").get(url()).text
    assert "Monthly report" in page
    assert 'value="40.0"' in page
    assert "Ended: 1 succeeded, 1 failed" in page
    assert "no bank" in page
    assert page.count('<td class="hide">ann') == 3


def test_the_live_part_is_the_board_alone(client: Client) -> None:
    page = staff(client, "view_job").get(url(live="1")).text.strip()
    assert page.startswith("<div data-board>")
    assert page.endswith("</div>")
    assert "No job is running." in page


def test_a_silent_job_is_marked(client: Client) -> None:
    job(1, State.STARTED, alive_at=timezone.now() - timedelta(minutes=3))
    assert "No heartbeat for 3 min" in staff(client, "view_job").get(url()).text


@pytest.mark.parametrize(("window", "shown"), [("15m", 1), ("1h", 2), ("7d", 3), ("nonsense", 2)])
def test_the_window_chooses_what_has_ended(client: Client, window: str, shown: int) -> None:
    for number, age in enumerate((60, 1800, 86_000)):
        job(number, State.SUCCEEDED, age)
    assert f"Ended: {shown} succeeded" in staff(client, "view_job").get(url(window=window)).text


class TestPermissions:
    def test_the_board_needs_one(self, client: Client) -> None:
        assert staff(client).get(url()).status_code == 403

    def test_a_user_who_is_not_staff_logs_in_first(self, client: Client) -> None:
        client.force_login(user())
        assert client.get(url()).status_code == 302

    def test_recipients_and_texts_need_the_permission_for_messages(self, client: Client) -> None:
        failed(1)
        Message.objects.update(message="Private text")
        page = staff(client, "view_job").get(url()).text
        assert "Private text" not in page
        assert ">ann<" not in page

    @pytest.mark.parametrize("act", ["cancel", "retry", "retry_all"])
    def test_each_button_needs_its_own(self, client: Client, started: list[Any], act: str) -> None:
        broken = failed(1)
        other = "retry_job" if act == "cancel" else "cancel_job"
        assert staff(client, "view_job", other).post(url(), {act: broken.pk}).status_code == 403
        assert started == []

    def test_jobs_of_another_scope_do_not_exist(
        self, client: Client, started: list[Any], settings: Any
    ) -> None:
        settings.MONITIO_SCOPE = scopes.PATH
        with scope.activate("b"):
            broken = failed(1)
        browser = staff(client, "view_job", "retry_job")
        assert "no bank" not in browser.get(url()).text
        answer = browser.post(url(), {"retry": broken.pk}, headers=JSON)
        assert answer.json() == {"text": "There is no such job."}
        assert started == []


class TestButtons:
    def test_try_again(self, client: Client, started: list[Any]) -> None:
        broken = failed(1)
        browser = staff(client, "view_job", "retry_job")
        assert f'name="retry" value="{broken.pk}"' in browser.get(url()).text
        answer = browser.post(url(), {"retry": broken.pk}, headers=JSON)
        assert answer.json() == {"text": "1 job started again."}
        assert started == [broken.pk]

    def test_try_all_again(self, client: Client, started: list[Any]) -> None:
        jobs = [failed(number) for number in range(3)]
        other = job(9, State.FAILED, error="another reason")
        browser = staff(client, "view_job", "retry_job")
        assert "Try all again" in browser.get(url()).text
        answer = browser.post(url(), {"retry_all": jobs[2].pk}, headers=JSON)
        assert answer.json() == {"text": "3 jobs started again."}
        assert sorted(started) == [broken.pk for broken in jobs]
        assert other.pk not in started

    def test_a_queue_that_is_down_is_shown(self, client: Client, started: list[Any]) -> None:
        broken = failed(1)
        dispatch.hooks.retry["mine"] = lambda job, call: 1 / 0
        browser = staff(client, "view_job", "retry_job")
        answer = browser.post(url(), {"retry": broken.pk}, headers=JSON)
        assert "could not be started" in answer.json()["text"]

    def test_cancel(self, client: Client, started: list[Any]) -> None:
        running = job(1, State.STARTED, cancellable=True)
        browser = staff(client, "view_job", "cancel_job")
        answer = browser.post(url(), {"cancel": running.pk}, headers=JSON)
        assert answer.json() == {"text": "Cancellation requested."}
        assert started == ["1"]

    def test_without_a_script_it_redirects_to_the_page(
        self, client: Client, started: list[Any]
    ) -> None:
        broken = failed(1)
        browser = staff(client, "view_job", "retry_job")
        answer = browser.post(url(window="24h"), {"retry": broken.pk})
        assert answer.status_code == 302
        assert answer["Location"].endswith("?window=24h")

    def test_a_forged_number_is_refused(self, client: Client, started: list[Any]) -> None:
        browser = staff(client, "view_job", "retry_job")
        for pk in ("x", "-1", "9" * 30):
            answer = browser.post(url(), {"retry": pk}, headers=JSON)
            assert answer.json() == {"text": "There is no such job."}


def test_the_work_does_not_depend_on_the_number_of_jobs(client: Client) -> None:
    browser = staff(client, "view_job", "view_message")
    numbers = []
    for start in (0, 20):
        for number in range(start, start + 20):
            job(number, (State.STARTED, State.SUCCEEDED, State.FAILED)[number % 3])
        with CaptureQueriesContext(connection) as queries:
            browser.get(url(live="1"))
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 13  # docs/board.md
    # Counts of jobs: only in groups of failures.
    assert not [one["sql"] for one in queries if "COUNT(*)" in one["sql"]]


def test_the_page_of_a_job_shows_its_runs_files_and_messages(client: Client) -> None:
    broken = failed(1)
    client.force_login(user("root", is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:monitio_job_change", args=[broken.pk])).text
    for heading in ("Runs", "Files", "Messages"):
        assert heading in page


def test_the_wait_of_a_repeated_run_begins_when_that_was_queued(client: Client) -> None:
    again = job(1, State.FAILED)
    assert again.started_at is not None
    queued = again.started_at - timedelta(seconds=5)
    an_hour_ago = again.created - timedelta(hours=1)
    run = round(1000 * queued.timestamp())
    Job.objects.filter(pk=again.pk).update(created=an_hour_ago, run=run)
    now = timezone.now()
    (middle, _most) = board.ended_since(now - timedelta(hours=1), now).waiting_time or (0, 0)
    assert middle == pytest.approx(5, abs=0.01)
    assert "5.0 s" in staff(client, "view_job").get(url()).text


def test_the_oldest_of_many_waiting_jobs_are_shown(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "COUNTED", 3)
    monkeypatch.setattr(board, "SHOWN", 2)
    for number in range(5):
        job(number, State.QUEUED, name=f"shop.number_{number}")
    page = staff(client, "view_job").get(url()).text
    assert "3+" in page
    assert [f"shop.number_{number}" in page for number in range(5)] == [True, True, *[False] * 3]


def test_open_jobs_are_counted_by_queue(client: Client) -> None:
    for number, queue in enumerate(("mail", "mail", "default")):
        job(number, State.QUEUED, queue=queue)
    page = staff(client, "view_job").get(url()).text
    assert "<bdi>mail</bdi> 2 · <bdi>default</bdi> 1" in page
    assert page.count("· queue mail") == 2


def test_failures_are_those_of_the_jobs_that_were_read(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "READ", 2)
    job(1, State.FAILED, age=90, error="long ago")
    job(2, State.FAILED, age=60, error="no bank")
    job(3, State.SUCCEEDED, age=30)
    page = staff(client, "view_job").get(url()).text
    failures = page[page.index("Failures by reason") :]
    assert ("no bank" in failures, "long ago" in failures) == (True, False)
