"""Every text, number or date, by every entrance, is cleaned or refused by a ``ValueError`` that
names the field. No transaction breaks, and every page and e-mail can be rendered.

The same tests run on PostgreSQL and MariaDB (tests/integration/test_nasty.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from asgiref.sync import async_to_sync
from django.contrib import messages
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeData, mark_safe

import monitio
from monitio import api, preferences
from monitio.channels.email.channel import build
from monitio.digests.sender import preview
from monitio.exceptions import UnknownRecipient
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import JobReporter, MessageContent, Outcome
from monitio.models import CategoryChoice, Job, Message, Preferences
from monitio.recipients import Recipient
from monitio.serializers import snapshot
from monitio.testing import run_digests
from monitio.urls import urlpatterns as monitio_urls
from monitio.utils.text import clean_text, one_line
from monitio.views.widgets import mark_read_by_url
from tests.support import nasty
from tests.support.people import next_request, request_of, respond, shown, user

REFUSED = re.compile("[\0\ud800-\udfff\u202d\u202e]")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _setting(settings: Any) -> Any:
    settings.TIME_ZONE = "Europe/Warsaw"
    yield
    for remembered in (ann, bob, of):
        remembered.cache_clear()


ids = (f"task-{number}" for number in count())


@lru_cache
def ann() -> Any:
    return user("ann")


@lru_cache
def bob() -> Any:
    return user("bob")


# Entrances for texts. They store for ann.


def create(**fields: Any) -> None:
    api.create_message(ann(), monitio.INFO, **{"message": "one", "email": True, **fields})


def create_for_language(text: str) -> None:
    api.create_message(Recipient.for_user(ann(), text), monitio.INFO, "one", email=True)


def create_safe(text: str) -> None:
    create(message=mark_safe(text), subject="one")
    assert "<script>" not in Message.objects.newest_first()[0].message or "<script>" in text


def acreate(text: str) -> None:
    async_to_sync(api.acreate_message)(ann(), monitio.INFO, text)


def notify_many(**fields: Any) -> None:
    api.notify_many([ann(), bob()], monitio.INFO, **{"message": "one", **fields})


def add(**fields: Any) -> None:
    request = request_of(ann())
    monitio.add_message(request, **{"level": monitio.INFO, "message": "one", **fields})
    respond(request)


def flash(who: Callable[[], Any], text: str, tags: str = "") -> None:
    """Add a flash message, as views do: it is shown by the same request, or by the next one."""
    same = request_of(who())
    messages.info(same, text, tags)
    "".join(shown(same)).encode()
    request = request_of(who())
    messages.info(request, text, tags)
    following = next_request(request, respond(request))
    assert len(shown(following)) == bool(text)
    "".join(shown(following)).encode()


def save(text: str) -> None:
    Message.objects.create(user=ann(), message=text, subject=text[:255], level=monitio.INFO)


def save_in_bulk(text: str) -> None:
    Message.objects.bulk_create([Message(user=ann(), message=text, level=monitio.INFO)])


def reply(text: str) -> None:
    original = api.create_message(bob(), monitio.INFO, "one", from_user=ann())
    api.reply(bob(), original.pk, text)


def reply_by_form(text: str) -> None:
    original = api.create_message(bob(), monitio.INFO, "one", from_user=ann())
    answer = of(bob()).post(
        f"/messages/reply/{original.pk}/",
        f"message={encoded(text)}",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code in (200, 302)


def add_by_form(text: str) -> None:
    browser = of(ann())
    body = f"text={encoded(text)}"
    browser.post("/add/", body, content_type="application/x-www-form-urlencoded")
    assert browser.get("/").status_code == 200


def search_by_form(name: str, text: str) -> None:
    address = f"/messages/?{name}={encoded(text[:4000])}"
    assert of(ann()).get(address).status_code in (200, 404)


def search(text: str) -> None:
    api.inbox(ann(), text=text, category=text)


def visit_link(text: str) -> None:
    request = RequestFactory().get(f"/{encoded(text)}")
    request.user = ann()
    mark_read_by_url(request)


def choose_category(text: str) -> None:
    preferences.change(ann(), categories={text: "off"})
    assert CategoryChoice.objects.filter(category=text).exists()


def choose(name: str, value: Any) -> None:
    preferences.change(ann(), **{name: value})
    Preferences.objects.get().schedule.next(
        timezone.now().astimezone(timezone.get_default_timezone())
    )


def command(**options: Any) -> None:
    call_command("send_message", "-", "ann", "INFO", options.pop("message", "one"), **options)


def job_text(**fields: Any) -> None:
    def render(outcome: Outcome) -> MessageContent:
        return MessageContent(**{"subject": "one", **fields})

    JobReporter(next(ids), recipients=[Recipient.of(ann())], render=render).succeeded()
    assert Job.objects.count() == Message.objects.count()


def job_of(text: str) -> None:
    render = NotifyOptions(success="{result} {x}", failure="{error}", arguments=("x",)).content
    for end in ("succeeded", "failed"):
        job = JobReporter(
            next(ids), name=text, recipients=[Recipient.of(ann())], render=render,
            arguments={"x": text, text: [text]},
        )  # fmt: skip
        job.started()
        job.progressed(1, 2, text, final=True)
        assert getattr(job, end)(text)


def job_called(text: str) -> None:
    JobReporter(text, recipients=[Recipient.of(ann())]).succeeded()


@lru_cache(maxsize=2)
def of(who: Any) -> Client:
    browser = Client()
    browser.force_login(who)
    return browser


def as_header(text: str) -> str:
    """The text as servers decode headers."""
    return text[:99].encode(errors="surrogatepass").decode("latin-1")


def encoded(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


TEXTS: dict[str, Callable[[str], object]] = {
    "create_message": lambda text: create(message=text),
    "create_message, subject": lambda text: create(subject=text),
    "create_message, url": lambda text: create(url=text),
    "create_message, url_label": lambda text: create(url="/", url_label=text),
    "create_message, extra_tags": lambda text: create(extra_tags=text),
    "create_message, category": lambda text: create(category=text),
    "create_message, language": create_for_language,
    "create_message, message that is HTML": create_safe,
    "create_message, email": lambda text: create(email=text),
    "acreate_message": acreate,
    "notify_many": lambda text: notify_many(message=text),
    "notify_many, subject": lambda text: notify_many(subject=text),
    "notify_many, category": lambda text: notify_many(category=text),
    "notify_many, users": lambda text: api.notify_many([text], monitio.INFO, "one"),
    "add_message": lambda text: add(message=text),
    "add_message, url": lambda text: add(url=text),
    "add_message, extra_tags": lambda text: add(extra_tags=text),
    "messages.info": lambda text: flash(ann, text),
    "messages.info, extra_tags": lambda text: flash(ann, "one", text),
    "messages.info of a visitor": lambda text: flash(lambda: None, text),
    "messages.info in a form": add_by_form,
    "save": save,
    "bulk_create": save_in_bulk,
    "update": lambda text: (create(), Message.objects.update(message=text, url_label=text[:255])),
    "reply": reply,
    "reply, message in a form": reply_by_form,
    "inbox": search,
    "inbox, text in a form": lambda text: search_by_form("text", text),
    "inbox, category in a form": lambda text: search_by_form("category", text),
    "inbox, level in a form": lambda text: search_by_form("level", text),
    "inbox, before in a form": lambda text: search_by_form("before", text),
    "inbox, level": lambda text: api.inbox(ann(), level=text),
    "mark_as_read_by_url": visit_link,
    "preferences, categories": choose_category,
    "preferences, time_zone": lambda text: choose("time_zone", text),
    "preferences, language": lambda text: choose("language", text),
    "preferences, frequency": lambda text: choose("frequency", text),
    "preferences, quiet_from": lambda text: choose("quiet_from", text),
    "send_message": lambda text: command(message=text),
    "send_message, subject": lambda text: command(subject=text),
    "send_message, url": lambda text: command(url=text),
    "send_message, user": lambda text: call_command("send_message", "-", text, "INFO", "one"),
    "monitio_digest, user": lambda text: call_command("monitio_digest", dry_run=True, user=text),
    "job": job_of,
    "job, task_id": job_called,
    "job, subject": lambda text: job_text(subject=text),
    "job, message": lambda text: job_text(message=text),
    "job, url_label": lambda text: job_text(url_label=text),
    "job, extra_tags": lambda text: job_text(extra_tags=text),
    "job, category": lambda text: job_text(category=text),
    "Recipient, user": lambda text: api.create_message(text, monitio.INFO, "one"),
    "Recipient, token": lambda text: api.create_message(
        Recipient.for_visitor(text), monitio.INFO, "one"
    ),
}  # fmt: skip
# Messages of refusals that are clear without a field's name.
SENTENCES = re.compile(
    "A message needs a text|is not the primary key|is not the token|has no account|"
    "There is no user|no users with|either a user or|Quiet hours need"
)


@pytest.mark.parametrize("entrance", TEXTS)
def test_any_text_is_cleaned_or_refused_by_name(entrance: str) -> None:
    known: set[int] = set()
    for kind, text in nasty.TEXTS.items():
        try:
            TEXTS[entrance](text)
        except (ValueError, CommandError, UnknownRecipient) as error:
            _check_refusal(entrance, kind, error)
        _check_rows(kind, known)
    _check_pages_and_mails()


def _check_refusal(entrance: str, kind: str, error: Exception) -> None:
    if type(error) not in (ValueError, TypeError, CommandError, UnknownRecipient):
        raise error
    field = entrance.partition(", ")[2]
    known = SENTENCES.search(str(error)) or (field and field in str(error))
    assert known, f"{kind}: {error}"
    str(error).encode()


def _check_rows(kind: str, known: set[int]) -> None:
    """Query the database, so that a broken transaction raises an error."""
    for row in Message.objects.filter(pk__gt=max(known, default=0)):
        known.add(row.pk)
        texts = (row.subject, row.message, row.url_label, row.extra_tags, row.category, row.url)
        assert not REFUSED.search("".join(texts)), kind
        assert not row.url.startswith("java"), kind


# Most entrances store the same texts: each is rendered once, in an e-mail and in a page.
IN_MAILS = ("level", "message", "subject", "url", "url_label", "extra_tags", "category", "language")
rendered: set[tuple[str, ...]] = set()


def _check_pages_and_mails() -> None:
    if connection.vendor != "sqlite":
        return  # They are rendered from rows, so another database makes no difference.
    rows = Message.objects.exclude(user=None).select_related("job")
    unseen = not rows
    for row in rows:
        job = row.job and (row.job.name, row.job.state, row.job.completed, row.job.total)
        texts = (*(str(getattr(row, name)) for name in IN_MAILS), str(job))
        if texts not in rendered:
            rendered.add(texts)
            build(row).message().as_bytes()
            unseen = True
    if unseen:
        json.dumps(snapshot(Recipient.of(ann())), ensure_ascii=False, allow_nan=False).encode()
        assert of(ann()).get("/messages/").status_code == 200


@pytest.mark.parametrize("kind", nasty.TEXTS)
def test_a_senders_name_is_one_line_without_effect_on_the_direction_around_it(kind: str) -> None:
    sender = bob()
    sender.first_name = nasty.TEXTS[kind]
    row = api.create_message(ann(), monitio.INFO, "one", from_user=sender)
    row.user = ann()
    assert row.sender == one_line(row.sender)
    assert not set(row.sender) & set("\0\r\n\u2028\u2029\u202b\u202d\u202e\u2067")
    text = build(row).body
    assert len(text.splitlines()) <= 15 and "\nBcc" not in text
    text.encode()


def test_a_cleaned_text_keeps_its_place_and_what_it_is() -> None:
    assert clean_text("a\0b") == "a\ufffdb"
    assert clean_text("<\u202escript>") == "<\ufffdscript>", "nothing joins to markup"
    assert isinstance(clean_text(mark_safe("<b>\0</b>")), SafeData)
    assert not isinstance(clean_text("\0"), SafeData)
    assert clean_text(text := "šǧ 🎉") is text


# Requests with any parameters.

PARAMETERS = (
    "next undo ids before text level category unread message frequency hour weekday time_zone "
    "quiet_from quiet_to category: theme saved List-Unsubscribe"
).split()


IN_REQUESTS = (
    "NUL", "low surrogate", "override to the left", "line breaks", "script", "longer than a link",
)  # fmt: skip
FORM = "application/x-www-form-urlencoded"
PATTERNS = [pattern for pattern in monitio_urls if pattern.name != "message_stream"]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_any_parameter_is_answered(pattern: Any) -> None:
    pk = api.create_message(ann(), monitio.INFO, "one", from_user=bob()).pk
    known = {"message_id": pk, "file_id": 1, "token": "x", "channel": "x"}
    kwargs = {name: known[name] for name in pattern.pattern.converters}
    address = reverse(pattern.name, kwargs=kwargs)
    for kind in IN_REQUESTS:
        text = nasty.TEXTS[kind]
        query = "&".join(f"{name}={encoded(text[:4000])}" for name in PARAMETERS)
        answers = [
            of(ann()).get(f"{address}?{query}", headers={"referer": as_header(text)}),
            of(ann()).get(f"{address}?page={encoded(text[:4000])}"),
            of(ann()).post(address, query, content_type=FORM),
        ]
        assert all(answer.status_code < 500 for answer in answers), kind


@pytest.mark.parametrize("kind", IN_REQUESTS)
def test_the_admin_stores_a_message_or_shows_an_error(kind: str, admin_client: Client) -> None:
    text = nasty.TEXTS[kind]
    data = {
        "user": ann().pk, "level": monitio.INFO, "subject": "one", "message": "one",
        "deliveries-TOTAL_FORMS": 0, "deliveries-INITIAL_FORMS": 0,
    }  # fmt: skip
    for name in ("subject", "message", "category", "extra_tags", "url", "url_label"):
        fields_of_form = {**data, name: text}
        body = "&".join(f"{key}={encoded(str(value))}" for key, value in fields_of_form.items())
        answer = admin_client.post("/admin/monitio/message/add/", body, content_type=FORM)
        assert answer.status_code in (200, 302), name
    _check_rows(kind, set())


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "0999-12-31"])
def test_the_admin_refuses_a_moment_that_is_too_far(day: str, admin_client: Client) -> None:
    data = {
        "user": ann().pk, "level": monitio.INFO, "message": "one",
        "deliveries-TOTAL_FORMS": 0, "deliveries-INITIAL_FORMS": 0,
        "expires_0": day, "expires_1": "12:00",
    }  # fmt: skip
    answer = admin_client.post("/admin/monitio/message/add/", data)
    assert "expires lies between the years" in answer.content.decode()
    assert not Message.objects.exists()


# Numbers.


def paged(before: Any) -> None:
    for address in ("/messages/", "/messages/json/"):
        assert of(ann()).get(address, {"before": before}).status_code in (200, 404)


def progress(**fields: Any) -> None:
    job = JobReporter(next(ids), recipients=[Recipient.of(ann())])
    job.started()
    job.progressed(**{"done": 1, "total": 2, "final": True, **fields})


def found(verb: Callable[..., Any], pk: Any, *args: Any) -> None:
    with suppress(Message.DoesNotExist):
        verb(ann(), pk, *args)


def closed(pk: Any) -> None:
    answer = of(ann()).post(
        "/messages/seen/", {"ids": [pk]}, headers={"accept": "application/json"}
    )
    assert answer.status_code in (200, 302, 400)


NUMBERS: dict[str, Callable[[Any], object]] = {
    "create_message, level": lambda number: api.create_message(ann(), number, "one"),
    "notify_many, level": lambda number: api.notify_many([ann()], number, "one"),
    "add_message, level": lambda number: add(level=number),
    "messages.add_message, level": lambda number: messages.add_message(
        request_of(ann()), number, "one"
    ),
    "save, level": lambda number: Message.objects.create(user=ann(), message="x", level=number),
    "create_message, close_timeout": lambda number: create(close_timeout=number),
    "create_message, email_delay": lambda number: create(email="unless_read", email_delay=number),
    "create_message, email": lambda number: create(email=number),
    "create_message, user": lambda number: api.create_message(number, monitio.INFO, "one"),
    "notify_many, users": lambda number: api.notify_many([number], monitio.INFO, "one"),
    "preferences, hour": lambda number: choose("hour", number),
    "preferences, weekday": lambda number: choose("weekday", number),
    "preferences, time_zone": lambda number: choose("time_zone", number),
    "preferences, language": lambda number: choose("language", number),
    "preferences, frequency": lambda number: choose("frequency", number),
    "preferences, quiet_from": lambda number: preferences.change(
        ann(), quiet_from=number, quiet_to=number
    ),
    "job, done": lambda number: progress(done=number),
    "job, total": lambda number: progress(total=number),
    "inbox, before in a form": paged,
    "inbox, before": lambda number: api.inbox(ann(), before=number),
    "inbox, limit": lambda number: api.inbox(ann(), limit=number),
    "get_message, pk": lambda number: found(api.get_message, number),
    "mark_read, pk": lambda number: api.mark_read(ann(), [number]),
    "delete, pk": lambda number: api.delete(ann(), [number]),
    "reply, pk": lambda number: found(api.reply, number, "one"),
    "cancel_job, pk": lambda number: found(api.cancel_job, number),
    "block_sender": lambda number: api.block_sender(ann(), number),
    "unblock_sender": lambda number: api.unblock_sender(ann(), number),
    "message_mark_seen": closed,
}  # fmt: skip


@pytest.mark.parametrize("entrance", NUMBERS)
def test_any_number_is_taken_or_refused_by_name(entrance: str) -> None:
    known: set[int] = set()
    for kind, number in nasty.NUMBERS.items():
        try:
            NUMBERS[entrance](number)
        except (ValueError, TypeError, UnknownRecipient) as error:
            _check_refusal(entrance, kind, error)
        _check_rows(kind, known)
    _check_pages_and_mails()


@pytest.mark.parametrize("wrong", ["info", 7, 0, True, 1.5, None, float("nan")])
@pytest.mark.parametrize("function", [api.create_message, api.notify_many])
def test_a_wrong_level_is_refused_with_the_valid_ones(function: Any, wrong: Any) -> None:
    who = ann() if function is api.create_message else [ann()]
    with pytest.raises(ValueError, match=r"^level is monitio.DEBUG, INFO, .* not "):
        function(who, wrong, "one")


def test_a_custom_level_of_the_site_is_accepted_by_its_tag(settings: Any) -> None:
    settings.MESSAGE_TAGS = {33: "custom"}
    assert api.create_message(ann(), 33, "one").level == 33


# Moments.

MOMENTS: dict[str, Callable[[Any], object]] = {
    "create_message, expires": lambda moment: create(expires=moment),
    "notify_many, expires": lambda moment: notify_many(expires=moment),
    "add_message, expires": lambda moment: add(expires=moment),
    "save, expires": lambda moment: Message.objects.create(
        user=ann(), message="one", expires=moment
    ),
    "prune, now": lambda moment: api.prune(now=moment),
    "preferences, quiet_to": lambda moment: choose("quiet_to", moment),
}


@pytest.mark.parametrize("use_tz", [True, False])
def test_any_moment_is_taken_or_refused_by_name(use_tz: bool, settings: Any) -> None:
    settings.USE_TZ = use_tz
    known: set[int] = set()
    for kind, moment in nasty.MOMENTS.items():
        for entrance, enter in MOMENTS.items():
            try:
                enter(moment)
            except ValueError as error:
                _check_refusal(entrance, kind, error)
            _check_rows(kind, known)
    _check_pages_and_mails()


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("is_aware", [True, False])
def test_digests_run_at_a_moment_of_either_kind(
    is_aware: bool, use_tz: bool, settings: Any
) -> None:
    settings.USE_TZ = use_tz
    preferences.change(ann(), frequency="daily", hour=2, time_zone="Europe/Warsaw")
    api.create_message(ann(), monitio.INFO, "news")
    at = timezone.localtime() if use_tz else timezone.make_aware(timezone.now())
    at += timezone.timedelta(days=2)
    assert len(run_digests(at if is_aware else timezone.make_naive(at))) == 1


# Values written without save().

SCRIPTS = [
    "javascript:alert(1)",
    "JaVaScRiPt:x",
    "java\nscript:x",
    " data:text/html,x",
    "vbscript:x",
]


@pytest.mark.parametrize("url", SCRIPTS)
def test_a_script_written_without_save_is_never_a_link(url: str, caplog: Any) -> None:
    preferences.change(ann(), frequency="daily")
    row = api.create_message(ann(), monitio.INFO, "one", subject="two")
    Message.objects.update(url=url, url_label="three")
    row.refresh_from_db()
    browser = of(ann())
    rendered = [
        browser.get("/messages/").content.decode(),
        browser.get(f"/messages/{row.pk}/").content.decode(),
        browser.get("/").content.decode(),
        browser.get("/messages/json/").content.decode(),
        build(Message.objects.get()).message().as_string(),
        build(row).message().as_string(),
        getattr(preview(Preferences.objects.select_related("user").get()), "body", None),
    ]
    assert not any("script:" in (page or "javascript:").lower() for page in rendered)
    assert not any("data:text" in page for page in rendered)
    assert "is not shown" in caplog.text
    row.read = True
    row.save()


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "Europe", "../../etc/passwd", "/etc", "\0", "x" * 300]
)
def test_an_unchecked_time_zone_is_replaced_by_the_sites(name: str) -> None:
    assert Preferences(time_zone=name).zone.key == "Europe/Warsaw"
