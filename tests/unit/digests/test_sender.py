"""Digests: content, time, failures, and that every message is in exactly one."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import monitio
from monitio import api, dispatch, preferences
from monitio.digests import sender as digests
from monitio.digests.email import compose_digest
from monitio.digests.selection import undigested
from monitio.exceptions import PermanentFailure, TemporaryFailure
from monitio.models import Delivery, Digest, Job, Message, Preferences
from monitio.testing import run_digests
from monitio.utils import compiled_sql
from tests.support.jobs import reporter
from tests.support.people import user

pytestmark = pytest.mark.django_db(transaction=True)

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Time:
    """The current time, which a test changes."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    @now.setter
    def now(self, moment: datetime) -> None:
        self._traveller.move_to(moment)


@pytest.fixture(autouse=True)
def clock(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    settings.MONITIO_BASE_URL = "https://example.com"
    settings.MONITIO_CATEGORIES = {"security": {"essential": True}, "exports": {"title": "Exports"}}
    settings.TIME_ZONE = "UTC"
    monkeypatch.setattr(dispatch.hooks, "deliver", lambda pk, due_at: None)
    with time_machine.travel(MONDAY, tick=False) as traveller:
        yield Time(traveller)


@pytest.fixture
def ann() -> Any:
    """A user with a digest every day at 8."""
    who = user()
    preferences.change(who, frequency="daily", hour=8)
    return who


def notify(who: Any, text: str = "one", **more: Any) -> Message:
    return api.create_message(who, monitio.INFO, text, **more)


def letters() -> list[EmailMultiAlternatives]:
    """The digests sent now."""
    before = len(mail.outbox)
    digests.run_due()
    return mail.outbox[before:]  # type: ignore[return-value]


def tomorrow(clock: Time) -> list[EmailMultiAlternatives]:
    """The digests sent at 8 the next morning."""
    clock.now = (clock.now + DAY).replace(hour=8)
    return letters()


class TestContent:
    def test_it_contains_unread_messages_newest_first(self, ann: Any, clock: Time) -> None:
        read = notify(ann, "read already")
        for text in ("first", "second"):
            notify(ann, text)
        api.mark_read(ann, [read.pk])
        (letter,) = tomorrow(clock)
        assert letter.to == ["ann@example.com"]
        assert letter.subject == "2 new notifications"
        assert letter.body.index("second") < letter.body.index("first")
        assert "read already" not in letter.body

    def test_a_single_one_is_the_subject(self, ann: Any, clock: Time) -> None:
        notify(ann, "text", subject="Your report")
        (letter,) = tomorrow(clock)
        assert letter.subject == "Your report"

    def test_it_is_grouped_by_category(self, ann: Any, clock: Time) -> None:
        notify(ann, "plain")
        notify(ann, "export one", category="exports")
        notify(ann, "report", category="weekly_report")
        notify(ann, "export two", category="exports")
        (letter,) = tomorrow(clock)
        words = ("Exports", "two", "one", "Weekly report", "report", "Everything else", "plain")
        places, start = [], 0
        for word in words:
            start = letter.body.index(word, start)
            places.append(start)
        assert places == sorted(places)

    @pytest.mark.parametrize("few", [50, 2], ids=["few", "many"])
    def test_failures_come_first_then_warnings_then_people_and_the_subject_names_the_worst(
        self, ann: Any, clock: Time, few: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("monitio.digests.email.FEW", few)
        failed = {"level": monitio.ERROR, "category": "exports"}
        for subject in ("first failure", "last failure"):
            api.create_message(ann, message="text", subject=subject, **failed)
        api.create_message(ann, monitio.WARNING, "disk nearly full", category="exports")
        notify(ann, "lunch", from_user=user("bob"))
        notify(ann, "a success", category="exports")
        (letter,) = tomorrow(clock)
        assert letter.subject == "2 need you: last failure"
        for part in (letter.body, str(letter.alternatives[0].content)):  # type: ignore[attr-defined]
            words = (
                "Your day: 5 notifications", "2 need you.", "Needs you", "last failure",
                "first failure", "Warnings", "disk nearly full", "Messages", "lunch", "Exports",
                "a success",
                "You get this every day at 08:00: a daily digest.",
            )  # fmt: skip
            places, start = [], part.find("<h1")
            for word in words:
                start = part.index(word, max(start, 0))
                places.append(start)
            assert places == sorted(places)

    def test_a_warning_is_shown_and_named_however_many_successes_are_newer(
        self, ann: Any, clock: Time
    ) -> None:
        api.create_message(ann, monitio.WARNING, "disk nearly full")
        for number in range(60):
            api.create_message(ann, monitio.SUCCESS, f"export {number}", category=f"{number % 20}")
        (letter,) = tomorrow(clock)
        assert letter.subject == "1 warning: disk nearly full"
        assert letter.body.index("disk nearly full") < letter.body.index("export")

    def test_no_digest_has_more_than_30_kb(self, ann: Any, clock: Time, settings: Any) -> None:
        settings.MONITIO_BRAND = {"name": "Contacts", "address": "1 Example Street, Gdańsk"}
        bob = user("bob", first_name="列" * 150, last_name="列" * 150)
        for number in range(60):
            notify(
                ann, "列「メール」が空です。" * 20, subject="contacts.csv の読み込み " * 6,
                category=f"category {number % 4}", url="/" + "x" * 80, url_label="Try again",
                from_user=bob if number % 6 else None,
            )  # fmt: skip
        (letter,) = tomorrow(clock)
        assert letter.subject == "60 new notifications"
        page = str(letter.alternatives[0].content)  # type: ignore[attr-defined]
        assert len(page.encode()) <= 30 * 1024
        assert page.count("Try again</a>") == 12

    @pytest.mark.parametrize("few", [50, 5], ids=["few", "many"])
    def test_messages_above_the_limit_are_counted(
        self, ann: Any, clock: Time, settings: Any, few: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("monitio.digests.email.FEW", few)
        settings.MONITIO_DIGEST_SIZE = 3
        for number in range(35):
            notify(ann, f"export {number}", category="exports")
        notify(ann, "plain")
        (letter,) = tomorrow(clock)
        assert letter.subject == "36 new notifications"
        assert "export 34" in letter.body and "export 32" in letter.body
        assert "export 31" not in letter.body
        assert "and 32 more: https://example.com/messages/" in letter.body
        assert "plain" in letter.body

    def test_there_are_two_parts_with_links_that_work_outside(self, ann: Any, clock: Time) -> None:
        notify(ann, "<b>no</b> markup", url="/report/7/", category="exports")
        (letter,) = tomorrow(clock)
        ((html, kind),) = letter.alternatives
        assert kind == "text/html"
        assert "https://example.com/report/7/" in letter.body
        assert 'href="https://example.com/report/7/"' in html
        assert "&lt;b&gt;no&lt;/b&gt; markup" in html
        assert "https://example.com/messages/preferences/" in letter.body

    def test_both_parts_name_the_sender(self, ann: Any, clock: Time) -> None:
        bob = user("bob", first_name="Bob", last_name="<Nowak>")
        notify(ann, "At noon.", subject="Lunch?", from_user=bob)
        notify(ann, "Hello", from_user=bob)
        (letter,) = tomorrow(clock)
        assert letter.body.count("Bob <Nowak>, Mon 12:00") == 2
        page = str(letter.alternatives[0][0])
        assert page.count(" · Bob &lt;Nowak&gt;</span>") == 2

    def test_a_site_may_replace_its_templates(self, ann: Any, clock: Time, settings: Any) -> None:
        digest = (
            "{{ headline }} {% for group in groups %}{{ group.category.title }}: {% for entry in"
            " group.entries %}{{ entry.message.level_name }} {{ entry.message.text }}"
            " {{ entry.url }} {{ entry.label }}, {% endfor %}{{ group.more }}{% endfor %}"
        )
        own = {"monitio/email/digest.txt": digest, "monitio/email/level.html": "color:{{ level }}"}
        (engine,) = settings.TEMPLATES
        found = "django.template.loaders.app_directories.Loader"
        loaders = [("django.template.loaders.locmem.Loader", own), found]
        options = engine["OPTIONS"] | {"loaders": loaders}
        settings.TEMPLATES = [engine | {"APP_DIRS": False, "OPTIONS": options}]
        notify(ann, "42 pages", url="/report/")
        (letter,) = tomorrow(clock)
        assert letter.body == (
            "Your day: 1 notification Everything else: info 42 pages https://example.com/report/ "
            "Open, 0\n"
        )
        assert "text-align:center;color:info" in str(letter.alternatives[0][0])

    def test_read_messages_are_not_queried(self, ann: Any) -> None:
        row = Preferences.objects.get()
        assert compose_digest(row, lambda: pytest.fail("A query."), "1", [notify(ann)])

    def test_it_has_a_one_click_unsubscribe_link(self, ann: Any, clock: Time) -> None:
        notify(ann)
        (letter,) = tomorrow(clock)
        link = letter.extra_headers["List-Unsubscribe"]
        assert link == f"<{preferences.unsubscribe_url(ann, None)}>"
        assert letter.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    def test_it_is_in_the_readers_language_and_time(self, ann: Any, clock: Time) -> None:
        preferences.change(ann, language="pl", time_zone="Asia/Tokyo")
        notify(ann), notify(ann)
        clock.now = MONDAY + DAY
        (letter,) = letters()
        assert letter.subject == "2 nowe powiadomienia"
        assert "Wszystko inne" in letter.body
        assert "21:00" in letter.body

    def test_without_a_chosen_language_it_is_that_of_the_newest_message(
        self, ann: Any, clock: Time
    ) -> None:
        from monitio.recipients import Recipient

        notify(Recipient.for_user(ann, "pl")), notify(Recipient.for_user(ann, "pl")), notify(ann)
        (letter,) = tomorrow(clock)
        assert letter.subject == "3 nowe powiadomienia"

    def test_without_messages_no_digest_is_sent(self, ann: Any, clock: Time) -> None:
        assert tomorrow(clock) == []
        assert not Digest.objects.exists()

    def test_running_jobs_and_expired_messages_are_left_out(self, ann: Any, clock: Time) -> None:
        notify(ann, "expired", expires=MONDAY + HOUR)
        api.create_message(ann, 20, "of the next page", sse=False)
        notify(ann, "essential", category="security", email=True)
        reporter(ann, task="runs").started()
        notify(user("bob"), "of somebody else")
        assert tomorrow(clock) == []

    def test_a_job_is_included_once_it_has_ended(self, clock: Time) -> None:
        ann = user()
        job = reporter(ann)
        job.started()
        clock.now += HOUR
        preferences.change(ann, frequency="daily", hour=8)
        clock.now += HOUR
        job.succeeded()
        (letter,) = tomorrow(clock)
        assert letter.subject == "succeeded 0"

    def test_messages_from_before_digests_were_chosen_are_left_out(self, clock: Time) -> None:
        ann = user()
        notify(ann, "old")
        clock.now += HOUR
        preferences.change(ann, frequency="daily", hour=8)
        notify(ann, "new")
        (letter,) = tomorrow(clock)
        assert "new" in letter.body and "old" not in letter.body

    def test_a_category_begins_when_it_is_chosen(self, ann: Any, clock: Time) -> None:
        preferences.change(ann, categories={"exports": "off"})
        notify(ann, "while it was off", category="exports")
        clock.now += HOUR
        preferences.change(ann, categories={"exports": None})
        notify(ann, "afterwards", category="exports")
        (letter,) = tomorrow(clock)
        assert "afterwards" in letter.body and "while it was off" not in letter.body

    def test_users_who_are_served_together_keep_their_own_beginnings(self, clock: Time) -> None:
        ann, bob, eve = user("ann"), user("bob"), user("eve")
        preferences.change(ann, frequency="daily", hour=8)
        preferences.change(eve, frequency="daily", hour=8, categories={"exports": "off"})
        for who in (ann, bob, eve):
            notify(who, "old"), notify(who, "an export", category="exports")
        clock.now += HOUR
        preferences.change(bob, frequency="daily", hour=8)
        notify(bob, "new")
        sent = {letter.to[0]: letter.body for letter in tomorrow(clock)}
        found = {
            to: [text for text in ("old", "an export", "new") if f"* {text}\n" in body]
            for to, body in sent.items()
        }
        assert found == {
            "ann@example.com": ["old", "an export"],
            "bob@example.com": ["new"],
            "eve@example.com": ["old"],
        }

    def test_only_categories_with_digests_are_in_it(self, clock: Time) -> None:
        ann = user()
        preferences.change(ann, hour=8, categories={"exports": "digest"})
        notify(ann, "gathered", category="exports")
        notify(ann, "mailed at once", email=True)
        notify(ann, "not mailed at all")
        (letter,) = tomorrow(clock)
        assert "gathered" in letter.body
        assert "at once" not in letter.body and "not mailed" not in letter.body

    def test_what_was_emailed_at_once_is_not_in_a_digest(self, clock: Time) -> None:
        ann = user()
        notify(ann, "mailed", email=True)
        preferences.change(ann, frequency="daily", hour=8)
        assert tomorrow(clock) == []

    def test_categories_with_digests_by_the_sites_default_are_in_it(
        self, clock: Time, settings: Any
    ) -> None:
        settings.MONITIO_CATEGORIES = {"activity": {"default": "digest"}}
        notify(user(), "liked", category="activity", email=True)
        assert Delivery.objects.count() == 0
        (letter,) = tomorrow(clock)
        assert "liked" in letter.body


class Post:
    """Replaces the mail server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.failures: list[Exception] = []
        self.during: Any = None
        self.sent: list[EmailMultiAlternatives] = []
        self.tried: list[str] = []
        monkeypatch.setattr(digests, "send", self.send)

    def send(self, letter: EmailMultiAlternatives) -> None:
        self.tried.append(letter.extra_headers["Message-ID"])
        if self.during:
            self.during()
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(letter)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    return Post(monkeypatch)


class TestPeriods:
    def test_every_message_is_in_one_digest(self, ann: Any, clock: Time) -> None:
        sent = []
        for day in range(3):
            notify(ann, f"day{day}")
            sent += [letter.subject for letter in tomorrow(clock)]
            assert letters() == []
        assert sent == ["day0", "day1", "day2"]

    def test_days_without_a_sender_lose_nothing(self, ann: Any, clock: Time) -> None:
        for day in range(3):
            notify(ann, f"day{day}")
            clock.now += DAY
        (letter,) = tomorrow(clock)
        assert letter.subject == "3 new notifications"
        assert tomorrow(clock) == []

    def test_a_new_zone_gives_no_second_digest_and_loses_nothing(
        self, ann: Any, clock: Time
    ) -> None:
        notify(ann, "one")
        assert len(tomorrow(clock)) == 1
        notify(ann, "two")
        # In the new time zone it is 8 on the same day again, five hours later.
        preferences.change(ann, time_zone="America/New_York")
        clock.now += 5 * HOUR
        assert letters() == []
        clock.now += DAY
        (letter,) = letters()
        assert letter.subject == "two"

    def test_hourly_ones_come_every_hour(self, clock: Time) -> None:
        ann = user()
        preferences.change(ann, frequency="hourly")
        sent = []
        for hour in range(3):
            notify(ann, f"hour{hour}")
            clock.now += HOUR
            sent += [letter.subject for letter in letters()]
        assert sent == ["hour0", "hour1", "hour2"]

    def test_weekly_ones_come_once_a_week(self, clock: Time) -> None:
        ann = user()
        preferences.change(ann, frequency="weekly", weekday=2, hour=8)
        notify(ann)
        days = [bool(tomorrow(clock)) for _ in range(9)]
        assert days == [False, True, *[False] * 7]

    def test_quiet_hours_hold_it(self, ann: Any, clock: Time) -> None:
        preferences.change(ann, quiet_from=time(22), quiet_to=time(10))
        notify(ann)
        assert tomorrow(clock) == []
        clock.now += 2 * HOUR
        assert len(letters()) == 1

    def test_quiet_hours_also_hold_one_that_is_late(self, ann: Any, clock: Time) -> None:
        preferences.change(ann, quiet_from=time(22), quiet_to=time(7))
        notify(ann)
        clock.now = MONDAY + DAY + 11 * HOUR
        assert letters() == []
        row = Preferences.objects.get()
        assert (row.claim, row.next_digest_at) == ("", MONDAY + 43 * HOUR)
        clock.now = row.next_digest_at
        assert len(letters()) == 1

    @pytest.mark.parametrize(
        ("zone", "change"),
        [
            ("Europe/Warsaw", "2026-03-29"),
            ("Europe/Warsaw", "2026-10-25"),
            ("America/New_York", "2026-03-08"),
            ("America/New_York", "2026-11-01"),
            # Its clocks change by 30 minutes.
            ("Australia/Lord_Howe", "2026-04-05"),
            ("Australia/Lord_Howe", "2026-10-04"),
        ],
    )
    def test_where_clocks_change_every_message_is_in_the_digest_of_its_day(
        self, clock: Time, zone: str, change: str
    ) -> None:
        local = ZoneInfo(zone)
        noon = datetime.fromisoformat(f"{change}T12:00").replace(tzinfo=local)
        clock.now = noon - 2 * DAY
        ann = user()
        # The hour that is skipped or repeated.
        preferences.change(ann, frequency="daily", hour=2, time_zone=zone)
        sent = []
        for half_hours in range(4 * 48):
            if half_hours % 48 == 1:
                notify(ann, f"day {half_hours // 48}")
            clock.now += HOUR / 2
            sent += [(letter.subject, clock.now.astimezone(local)) for letter in letters()]
        assert [subject for subject, _ in sent] == [f"day {day}" for day in range(4)]
        days = [moment.date() for _, moment in sent]
        assert days == [(noon + number * DAY).date() for number in range(-1, 3)]
        assert {moment.hour for _, moment in sent} <= {2, 3}

    @pytest.mark.parametrize("seed", range(3))
    def test_whatever_happens_every_message_is_in_one_digest(
        self, clock: Time, post: Post, seed: int, settings: Any
    ) -> None:
        """With changing preferences, failing servers and passing hours."""
        settings.MONITIO_DIGEST_SIZE = 100
        chance = random.Random(seed)
        ann, count = user(), 0
        preferences.change(ann, frequency="daily")
        for _ in range(50):
            action = chance.choice(["notify", "notify", "pass", "pass", "pass", "fail", "habits"])
            if action == "notify":
                notify(ann, f"<message {count}>")
                count += 1
            elif action == "pass":
                clock.now += chance.choice([HOUR / 2, 5 * HOUR, DAY])
                letters()
            elif action == "fail":
                post.failures.append(TemporaryFailure("busy"))
            else:
                preferences.change(
                    ann,
                    frequency=chance.choice(["hourly", "daily", "weekly"]),
                    hour=chance.randrange(24),
                    weekday=chance.randrange(7),
                    time_zone=chance.choice(["", "Asia/Tokyo", "America/New_York"]),
                    **chance.choice([{}, {"quiet_from": time(22), "quiet_to": time(7)}]),
                )
        post.failures.clear()
        # A week, and the rest of the day after quiet hours.
        for _ in range(48):
            clock.now += 5 * HOUR
            letters()
        listed = re.findall("<message [0-9]+>", "".join(letter.body for letter in post.sent))
        assert Counter(listed) == Counter(f"<message {number}>" for number in range(count))

    def test_an_e_mail_about_the_start_of_a_job_does_not_replace_its_end(self, ann: Any) -> None:
        row = Preferences.objects.get(user=ann)
        message = notify(ann)
        for at_start, count in ((True, 1), (False, 0)):
            Delivery.objects.create(message=message, channel="email", at_start=at_start)
            assert undigested([row]).filter(pk=message.pk).count() == count

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="others plan by what is in the table")
    def test_the_tick_and_the_claim_of_messages_use_their_indexes(self, ann: Any) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert list(digests.claim_batches()) == []
        (tick,) = queries
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {tick['sql']}")
            ((*_, plan),) = cursor.fetchall()
        # One index search without sorting.
        assert re.search("SEARCH .* USING (COVERING )?INDEX monitio_digest_due ", plan)
        row = Preferences.objects.get()
        assert "monitio_unread" in undigested([row]).explain()

    def test_a_digest_costs_two_statements(self, clock: Time) -> None:
        counts = []
        for people in (1, 11):
            for number in range(people):
                who = user(f"user{number}")
                preferences.change(who, frequency="daily", hour=8)
                notify(who, category="exports"), notify(who)
            with CaptureQueriesContext(connection) as queries:
                assert len(tomorrow(clock)) == people
            asked = [query["sql"].split()[0] for query in queries]
            counts.append(sum(verb in ("SELECT", "INSERT", "UPDATE") for verb in asked))
        # Claim and end of each digest; the other statements are made once for many users.
        assert counts == [13 + 2, 13 + 11 * 2]

    def test_without_due_users_one_query_suffices(
        self, ann: Any, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(1):
            assert list(digests.claim_batches()) == []

    def test_sets_are_bounded_and_every_user_is_served(
        self, clock: Time, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(digests, "BATCH_SIZE", 3)
        for number in range(8):
            who = user(f"user{number}")
            preferences.change(who, frequency="daily", hour=8)
            notify(who)
        clock.now = (clock.now + DAY).replace(hour=8)
        assert len(list(digests.claim_batches(most=2))) == 2
        assert len(letters()) == 2
        clock.now += HOUR
        assert len(letters()) == 6

    def test_a_user_without_an_address_is_skipped(self, ann: Any, clock: Time) -> None:
        notify(ann)
        type(ann).objects.update(email="")
        assert tomorrow(clock) == []
        assert not Digest.objects.exists()
        type(ann).objects.update(email="ann@example.com")
        assert len(tomorrow(clock)) == 1


class Killed(BaseException):
    """Simulates a killed process: monitio never catches it."""


def killed() -> None:
    raise Killed


class TestFailures:
    @pytest.mark.parametrize("returning", [True, False], ids=["compiled", "plain"])
    def test_a_temporary_one_is_tried_again_with_the_same_id(
        self,
        ann: Any,
        clock: Time,
        post: Post,
        returning: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if not returning:
            monkeypatch.setattr(compiled_sql, "returns_rows", lambda connection: False)
        notify(ann)
        post.failures = [TemporaryFailure("busy")]
        tomorrow(clock)
        digest = Digest.objects.get()
        assert (digest.state, digest.error, post.sent) == ("pending", "busy", [])
        clock.now += HOUR
        letters()
        digest.refresh_from_db()
        assert (digest.state, digest.attempts, digest.error) == ("sent", 2, "")
        assert digest.sent_at == clock.now
        assert len(post.tried) == 2 and len(set(post.tried)) == 1

    def test_what_comes_meanwhile_is_in_the_next_one(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann, "first")
        post.failures = [TemporaryFailure("busy")] * 2
        tomorrow(clock)
        notify(ann, "second")
        tomorrow(clock)
        clock.now += HOUR
        letters()
        assert [letter.subject for letter in post.sent] == ["first", "second"]

    def test_what_was_read_meanwhile_is_not_sent(self, ann: Any, clock: Time, post: Post) -> None:
        notify(ann)
        post.failures = [TemporaryFailure("busy")]
        tomorrow(clock)
        api.mark_all_read(ann)
        clock.now += HOUR
        letters()
        assert Digest.objects.get().state == "skipped"
        assert len(post.tried) == 1

    def test_a_permanent_one_ends_it_with_its_reason(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann)
        post.failures = [PermanentFailure("550 no such user")]
        tomorrow(clock)
        digest = Digest.objects.get()
        assert (digest.state, digest.error) == ("failed", "550 no such user")
        clock.now += HOUR
        assert letters() == [] and len(post.tried) == 1

    def test_it_is_given_up_after_the_last_attempt(
        self, ann: Any, clock: Time, post: Post, settings: Any
    ) -> None:
        settings.MONITIO_DELIVER_RETRIES = 2
        notify(ann)
        post.failures = [TemporaryFailure("busy")] * 9
        tomorrow(clock)
        for _ in range(5):
            clock.now += HOUR
            letters()
        digest = Digest.objects.get()
        assert digest.state == "failed" and "3 tries" in digest.error
        assert len(post.tried) == 3

    def test_a_defect_does_not_stop_the_others(
        self, ann: Any, clock: Time, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bob = user("bob")
        preferences.change(bob, frequency="daily", hour=8)
        notify(ann), notify(bob)
        compose = digests.compose_digest

        def broken(row: Preferences, *args: Any) -> Any:
            if row.user_id == ann.pk:
                raise KeyError("template")
            return compose(row, *args)

        monkeypatch.setattr(digests, "compose_digest", broken)
        assert [letter.to for letter in tomorrow(clock)] == [["bob@example.com"]]
        assert Digest.objects.get(user=ann).state == "failed"

    def test_a_server_that_is_down_stops_the_round(self, clock: Time, post: Post) -> None:
        for number in range(8):
            who = user(f"user{number}")
            preferences.change(who, frequency="daily", hour=8)
            notify(who)
        post.failures = [TemporaryFailure("down")] * 3
        tomorrow(clock)
        assert len(post.tried) == 3
        assert Digest.objects.filter(attempts__gt=0).count() == 3
        clock.now += HOUR
        letters()
        assert Counter(letter.to[0] for letter in post.sent) == Counter(
            f"user{number}@example.com" for number in range(8)
        )

    def test_a_temporarily_refused_address_does_not_delay_other_sets(
        self, clock: Time, post: Post, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(digests, "BATCH_SIZE", 2)
        for number in range(6):
            who = user(f"user{number}")
            preferences.change(who, frequency="daily", hour=8)
            notify(who)
        post.failures = [TemporaryFailure("greylisted")]
        tomorrow(clock)
        assert len(post.sent) == 5

    def test_a_sender_that_died_is_replaced_after_its_lease(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann)
        post.during = killed
        with pytest.raises(Killed):
            tomorrow(clock)
        post.during = None
        clock.now += timedelta(minutes=14)
        assert list(digests.claim_batches()) == []
        clock.now += timedelta(minutes=1)
        letters()
        assert len(post.sent) == 1
        assert len(set(post.tried)) == 1, "both tries carry the same Message-ID"

    def test_a_digest_that_kills_its_sender_is_given_up(
        self, ann: Any, clock: Time, post: Post, settings: Any
    ) -> None:
        settings.MONITIO_DELIVER_RETRIES = 1
        notify(ann)
        post.during = killed
        with pytest.raises(Killed):
            tomorrow(clock)
        clock.now += HOUR
        with pytest.raises(Killed):
            letters()
        clock.now += HOUR
        letters()
        assert Digest.objects.get().state == "failed"

    def test_a_task_that_runs_again_serves_the_users_left_over(
        self, ann: Any, clock: Time, post: Post, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(digests, "TAKEN_AT_ONCE", 1)
        bob = user("bob")
        preferences.change(bob, frequency="daily", hour=8)
        notify(ann), notify(bob)
        clock.now = (clock.now + DAY).replace(hour=8)
        (claim,) = digests.claim_batches()
        post.during = killed
        with pytest.raises(Killed):
            digests.send_batch(claim)
        post.during = None
        digests.send_batch(claim)
        assert [letter.to for letter in post.sent] == [["bob@example.com"]]
        digests.send_batch(claim)
        clock.now += HOUR
        letters()
        assert [letter.to[0] for letter in post.sent] == ["bob@example.com", "ann@example.com"]

    def test_users_of_the_same_set_as_one_that_kills_its_sender_lose_no_attempt(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        bob = user("bob")
        preferences.change(bob, frequency="daily", hour=8)
        notify(ann), notify(bob)
        post.during = killed
        with pytest.raises(Killed):
            tomorrow(clock)
        assert dict(Digest.objects.values_list("user", "attempts")) == {ann.pk: 1, bob.pk: 0}
        post.during = None
        clock.now += HOUR
        letters()
        assert [letter.to[0] for letter in post.sent] == ["ann@example.com", "bob@example.com"]

    def test_users_whose_common_query_fails_are_served_one_by_one(
        self, ann: Any, clock: Time, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bob, mark = user("bob"), digests.undigested
        preferences.change(bob, frequency="daily", hour=8)
        notify(ann), notify(bob)

        def broken(rows: Any) -> Any:
            if ann.pk in [row.user_id for row in rows]:
                raise ValueError
            return mark(rows)

        monkeypatch.setattr(digests, "undigested", broken)
        assert [letter.to for letter in tomorrow(clock)] == [["bob@example.com"]]
        monkeypatch.undo()
        clock.now += HOUR
        assert [letter.to for letter in letters()] == [["ann@example.com"]]

    def test_a_digest_of_an_earlier_version_is_sent(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann)
        post.failures = [TemporaryFailure("busy")]
        tomorrow(clock)
        Digest.objects.update(batch="0123456789abcdef0123456789abcdef")
        Message.objects.update(digest="0123456789abcdef0123456789abcdef")
        clock.now += HOUR
        letters()
        assert [letter.subject for letter in post.sent] == ["one"]

    def test_a_slow_sender_leaves_the_rest_to_who_has_taken_over(
        self, clock: Time, post: Post
    ) -> None:
        for name in ("ann", "bob"):
            preferences.change(user(name), frequency="daily", hour=8)
            notify(user(name))
        clock.now = (clock.now + DAY).replace(hour=8)
        (claim,) = digests.claim_batches()

        def takes_an_hour() -> None:
            post.during = None
            clock.now += HOUR
            letters()

        post.during = takes_an_hour
        digests.send_batch(claim)
        assert Counter(letter.to[0] for letter in post.sent)["bob@example.com"] == 1

    def test_a_set_whose_task_could_not_be_sent_is_due_again(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann)
        clock.now = (clock.now + DAY).replace(hour=8)
        (claim,) = digests.claim_batches()
        digests.release(claim)
        clock.now += timedelta(minutes=1)
        letters()
        assert len(post.sent) == 1


class TestChangedPreferences:
    def test_users_who_choose_never_get_nothing_that_waited(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann)
        post.failures = [TemporaryFailure("busy")]
        tomorrow(clock)
        preferences.change(ann, frequency="never")
        assert Digest.objects.get().state == "skipped"
        preferences.change(ann, frequency="daily")
        assert tomorrow(clock) == [] and post.sent == []

    def test_a_category_that_is_switched_off_is_removed_from_waiting_digests(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann, "export", category="exports"), notify(ann, "plain")
        post.failures = [TemporaryFailure("busy")]
        tomorrow(clock)
        preferences.change(ann, categories={"exports": "off"})
        clock.now += HOUR
        letters()
        assert [letter.subject for letter in post.sent] == ["plain"]

    def test_a_category_switched_off_while_the_set_is_sent_is_left_out(
        self, clock: Time, post: Post
    ) -> None:
        for name in ("ann", "bob"):
            preferences.change(user(name), frequency="daily", hour=8)
            notify(user(name), "export", category="exports")

        def switch_off() -> None:
            post.during = None
            preferences.change(user("bob"), categories={"exports": "off"})

        post.during = switch_off
        tomorrow(clock)
        clock.now += HOUR
        letters()
        assert [letter.to for letter in post.sent] == [["ann@example.com"]]

    def test_users_who_choose_never_get_nothing_that_a_dead_sender_left(
        self, ann: Any, clock: Time, post: Post
    ) -> None:
        notify(ann)
        post.during = killed
        with pytest.raises(Killed):
            tomorrow(clock)
        post.during = None
        preferences.change(ann, frequency="never")
        preferences.change(ann, frequency="daily")
        assert tomorrow(clock) == [] and post.sent == []

    def test_a_change_while_it_is_sent_is_kept(self, ann: Any, clock: Time, post: Post) -> None:
        notify(ann)
        post.during = lambda: preferences.change(ann, hour=20)
        tomorrow(clock)
        row = Preferences.objects.get()
        assert row.next_digest_at == clock.now.replace(hour=20)
        assert Digest.objects.get().state == "sent"


class TestCommand:
    def run(self, *args: str) -> str:
        out = StringIO()
        call_command("monitio_digest", *args, stdout=out)
        return out.getvalue()

    def test_it_sends_what_is_due(self, ann: Any, clock: Time) -> None:
        notify(ann)
        clock.now = (clock.now + DAY).replace(hour=8)
        assert self.run() == "1 sent, 0 failed, 0 could not be sent yet.\n"
        assert len(mail.outbox) == 1

    def test_a_dry_run_shows_it_and_changes_nothing(self, ann: Any, clock: Time) -> None:
        notify(ann, "the text")
        assert self.run("--dry-run") == "0 would be sent.\n"
        clock.now = (clock.now + DAY).replace(hour=8)
        before = list(Preferences.objects.values())
        output = self.run("--dry-run")
        assert "ann (due 2026-11-24 08:00 UTC), to ann@example.com: the text" in output
        assert "1 would be sent." in output
        assert list(Preferences.objects.values()) == before
        assert not Digest.objects.exists() and mail.outbox == []
        assert not Message.objects.exclude(digest="").exists()

    def test_one_user_is_shown_before_it_is_due(self, ann: Any) -> None:
        notify(ann, "the text")
        assert "the text" in self.run("--dry-run", "--user", "ann")

    def test_a_user_without_messages_or_digests_is_explained(self, ann: Any) -> None:
        assert "nothing to say" in self.run("--dry-run", "--user", "ann")
        user("bob")
        assert "bob (gets no digests): nothing to say" in self.run("--dry-run", "--user", "bob")

    def test_bad_calls_are_explained(self, ann: Any) -> None:
        with pytest.raises(CommandError, match="nobody"):
            self.run("--dry-run", "--user", "nobody")
        with pytest.raises(CommandError, match="--dry-run"):
            self.run("--user", "ann")


def test_a_frozen_run_is_available_for_sites_tests(ann: Any) -> None:
    notify(ann, "Your report is ready")
    sent = run_digests(at=timezone.now() + DAY)
    assert [letter.subject for letter in sent] == ["Your report is ready"]
    assert run_digests(at=timezone.now() + DAY) == []


def test_old_digests_are_pruned_and_their_messages_are_not_sent_again(
    ann: Any, clock: Time
) -> None:
    notify(ann)
    assert len(tomorrow(clock)) == 1
    clock.now += 91 * DAY
    assert api.prune()["digests"] == 1
    assert tomorrow(clock) == []
    assert Message.objects.count() == 1


def test_it_works_without_time_zones(settings: Any, clock: Time) -> None:
    settings.USE_TZ = False
    ann = user()
    preferences.change(ann, frequency="daily", hour=8)
    notify(ann)
    assert [letter.subject for letter in tomorrow(clock)] == ["one"]
    assert Preferences.objects.get().next_digest_at == datetime(2026, 11, 25, 8)


def test_deleting_a_user_deletes_everything(ann: Any, clock: Time) -> None:
    notify(ann)
    preferences.change(ann, categories={"exports": "off"})
    tomorrow(clock)
    ann.delete()
    assert not (Preferences.objects.exists() or Digest.objects.exists() or Job.objects.exists())
