"""The public names of ``monitio`` exist, and each of their arguments has an effect."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.messages import MessageFailure
from django.core import mail
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import monitio
from monitio import api, dispatch
from monitio.messages.fields import MessageFields
from monitio.models import Message
from monitio.recipients import Recipient
from monitio.storage import PersistentMessageStorage
from monitio.testing import capture_events
from monitio.transports.events import Event
from tests.support.people import request_of, user

pytestmark = pytest.mark.django_db(transaction=True)

ORIGINAL_ADD = (
    "request, level, message, extra_tags, fail_silently, subject, user, email, from_user, expires, "
    "close_timeout"
)
ORIGINAL_CREATE = (
    "to_user, level, message, from_user, extra_tags, subject, expires, close_timeout, sse, email"
)


def test_every_public_name_exists() -> None:
    for name in monitio.__all__:
        assert getattr(monitio, name) is not None, name
    assert set(monitio.__all__) <= set(dir(monitio))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = monitio.nonsense


@pytest.mark.parametrize("module", ["notify", "tasks", "testutil", "themes"])
def test_importing_a_module_of_the_original_names_its_successor(module: str) -> None:
    with pytest.raises(ImportError, match=r"Use .*docs/upgrade\.md"):
        importlib.import_module(f"monitio.{module}")


def test_an_unknown_module_raises_the_usual_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        importlib.import_module("monitio.nonsense")


def test_the_model_of_the_original_is_an_alias_with_a_warning() -> None:
    from monitio import models

    with pytest.warns(DeprecationWarning, match="monitio.models.Message"):
        assert models.Monit is Message


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("persistent-messages-sse", []), ("persistent-messages-sse", ["ann"]), ("js_i18n", [])],
)
def test_an_address_of_the_original_names_its_successor(
    name: str, arguments: list[str], client: Client
) -> None:
    response = client.get(reverse(name, args=arguments))
    assert response.status_code == 410
    assert b"{% monitio %}" in response.content


def test_levels_are_the_numbers_promised() -> None:
    levels = [monitio.DEBUG, monitio.INFO, monitio.SUCCESS, monitio.WARNING, monitio.ERROR]
    assert levels == [110, 120, 125, 130, 140]
    assert tuple(levels) == monitio.PERSISTENT_MESSAGE_LEVELS


@pytest.mark.parametrize(
    ("function", "promised"),
    [(monitio.add_message, ORIGINAL_ADD), (monitio.create_message, ORIGINAL_CREATE)],
)
def test_the_originals_arguments_come_first_and_in_its_order(
    function: Callable[..., Any], promised: str
) -> None:
    positional = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert ", ".join(positional) == promised


def test_every_function_that_uses_the_database_has_an_asynchronous_variant() -> None:
    verbs = {
        name
        for name, value in vars(api).items()
        if inspect.isfunction(value)
        and not inspect.iscoroutinefunction(value)
        and value.__module__ == api.__name__
        and name[0] != "_"
    }
    helpers = {"build", "store", "insert", "clear", "addressee"}
    twins = {f"a{verb}" for verb in verbs - helpers}
    assert not [name for name in twins if not inspect.iscoroutinefunction(getattr(api, name))]
    for name in twins:
        assert getattr(api, name).__doc__ == f"``{name[1:]}``, awaited."


# No argument is ignored.


@pytest.fixture(autouse=True)
def _without_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a task queue, the committing process sends e-mails."""
    monkeypatch.setattr(dispatch.hooks, "deliver", None)


@dataclass
class World:
    """The results of one call."""

    person: Any
    other: Any
    row: Message | None = None
    events: list[Event] = field(default_factory=list)
    mails: int = 0
    error: BaseException | None = None

    @property
    def one(self) -> Message:
        assert self.row is not None
        return self.row


SOON = timezone.now() + timedelta(hours=1)
# Argument -> a value and its effect, which must be absent without the argument.
EFFECTS: dict[str, tuple[Callable[[World], Any], Callable[[World], bool]]] = {
    "level": (lambda w: monitio.ERROR, lambda w: w.one.level == monitio.ERROR),
    "message": (lambda w: "other text", lambda w: w.one.message == "other text"),
    "extra_tags": (lambda w: "a b", lambda w: w.one.extra_tags == "a b"),
    "subject": (lambda w: "subject", lambda w: w.one.subject == "subject"),
    "from_user": (lambda w: w.other, lambda w: w.one.from_user == w.other),
    "expires": (lambda w: SOON, lambda w: w.one.expires == SOON),
    "close_timeout": (lambda w: 7, lambda w: w.one.close_timeout == 7),
    "url": (lambda w: "/x/", lambda w: w.one.url == "/x/"),
    "url_label": (lambda w: "Open it", lambda w: w.one.url_label == "Open it"),
    "category": (lambda w: "reports", lambda w: w.one.category == "reports"),
    "icon": (lambda w: "file", lambda w: w.one.icon == "file"),
    "email": (lambda w: True, lambda w: w.mails == 1),
    # Refused without email=, because there is nothing to delay.
    "email_delay": (lambda w: 60, lambda w: isinstance(w.error, ValueError)),
    "via": (lambda w: {"email": True}, lambda w: w.mails == 1),
    "sse": (lambda w: False, lambda w: not w.events),
    "live": (lambda w: False, lambda w: not w.events),
    "user": (lambda w: w.other, lambda w: w.one.user == w.other),
    "to_user": (lambda w: w.other, lambda w: w.one.user == w.other),
    "users": (lambda w: [w.other], lambda w: w.one.user == w.other),
    "messages": (lambda w: [(w.other, "text")], lambda w: w.one.user == w.other),
    "request": (lambda w: request_of(w.other), lambda w: w.one.user == w.other),
    "fail_silently": (lambda w: True, lambda w: w.error is None),
}


def call_create(w: World, **kwargs: Any) -> None:
    api.create_message(**{"to_user": w.person, "level": 120, "message": "text", **kwargs})


def call_many(w: World, **kwargs: Any) -> None:
    api.notify_many(**{"users": [w.person], "level": 120, "message": "text", **kwargs})


def call_each(w: World, **kwargs: Any) -> None:
    pairs = kwargs.pop("messages", [(w.person, "text")])
    api.notify_each(**{"messages": pairs, "level": 120, **kwargs})


def call_add(w: World, **kwargs: Any) -> None:
    request = kwargs.pop("request", None) or request_of(w.person)
    if "fail_silently" in kwargs or kwargs.pop("without_storage", False):
        del request._messages
    api.add_message(request, **{"level": 120, "message": "text", **kwargs})
    finish(request)


def call_storage(w: World, **kwargs: Any) -> None:
    request = request_of(w.person)
    request._messages.add(**{"level": 120, "message": "text", **kwargs})
    finish(request)


def call_shortcut(w: World, function: Any = None, **kwargs: Any) -> None:
    request = kwargs.pop("request", None) or request_of(w.person)
    if "fail_silently" in kwargs or kwargs.pop("without_storage", False):
        del request._messages
    function(request, kwargs.pop("message", "text"), **kwargs)
    finish(request)


def finish(request: HttpRequest) -> None:
    if hasattr(request, "_messages"):
        request._messages.update(HttpResponse())


SHORTCUTS = [api.debug, api.info, api.success, api.warning, api.error]
CALLS: list[tuple[Callable[..., Any], Callable[..., None]]] = [
    (api.create_message, call_create),
    (api.notify_many, call_many),
    (api.notify_each, call_each),
    (api.add_message, call_add),
    (PersistentMessageStorage.add, call_storage),
    *[(shortcut, partial(call_shortcut, function=shortcut)) for shortcut in SHORTCUTS],
]


def arguments(function: Callable[..., Any]) -> list[str]:
    """The names of a function's arguments; shortcuts accept those of add_message."""
    names = [name for name in inspect.signature(function).parameters if name != "self"]
    if "fields" in names:
        return [*(name for name in names if name != "fields"), *MessageFields.__annotations__]
    if "kwargs" not in names:
        return names
    return ["request", "message", *(n for n in arguments(api.add_message)[3:])]


def world(call: Callable[..., None], without_storage: bool = False, **kwargs: Any) -> World:
    result = World(user(), user("bob"))
    Message.objects.all().delete()
    mail.outbox.clear()
    given = {name: value(result) for name, value in kwargs.items()}
    with capture_events() as events:
        try:
            call(result, **given, **({"without_storage": True} if without_storage else {}))
        except (MessageFailure, ValueError) as error:
            result.error = error
    result.events, result.mails, result.row = (
        list(events),
        len(mail.outbox),
        Message.objects.first(),
    )
    return result


@pytest.mark.parametrize(("function", "call"), CALLS)
def test_the_argument_has_its_effect(
    function: Callable[..., Any], call: Callable[..., None], subtests: pytest.Subtests
) -> None:
    without_any = world(call)
    for name in arguments(function):
        with subtests.test(name):
            assert name in EFFECTS, f"Say in EFFECTS what {name} does."
            value, has_effect = EFFECTS[name]
            silent = name == "fail_silently"
            assert not has_effect(world(call, without_storage=True) if silent else without_any)
            assert has_effect(world(call, **{name: value}))


def test_the_shortcuts_add_at_their_own_level_and_pass_on_extra_tags_by_position() -> None:
    for shortcut in SHORTCUTS:
        request = request_of(user())
        message = shortcut(request, "text", "tags")
        assert message is not None
        assert message.level == getattr(monitio, shortcut.__name__.upper())
        assert message.extra_tags == "tags"


def test_live_publishes_a_message_of_a_django_level_at_once() -> None:
    with capture_events() as events:
        monitio.add_message(request_of(user()), messages.INFO, "one", live=True)
    assert len(events) == 1


def test_the_arguments_of_reading_have_effects() -> None:
    ann = user()
    rows = [api.create_message(ann, monitio.INFO, str(number)) for number in range(4)]
    api.mark_read(ann, [rows[3].pk])
    assert [row.message for row in api.inbox(ann)] == ["3", "2", "1", "0"]
    assert [row.message for row in api.inbox(ann, limit=2)] == ["3", "2"]
    assert [row.message for row in api.inbox(ann, before=rows[2].pk)] == ["1", "0"]
    assert [row.message for row in api.inbox(ann, unread_only=True)] == ["2", "1", "0"]
    assert api.inbox(Recipient.for_user(user("bob"))) == []
