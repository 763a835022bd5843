from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory

from monitio.exceptions import UnknownRecipient
from monitio.integrations import recipients as task_recipients
from monitio.integrations.context import current_request, requester
from monitio.jobs.options import NotifyOptions
from monitio.recipients import Recipient
from monitio_celery import headers, notify
from monitio_celery.calls import TaskCall
from monitio_celery.headers import Member, TaskHeader

ANN, BOB = Recipient.for_user(1), Recipient.for_user(2)
MEMBER = Member(group="g", number=0, total=1, title="", options={})
INHERITED = TaskHeader(to=[{"user": "2"}], group_member=MEMBER)


def task(owner_id: int = 7, *more: Any, **named: Any) -> None: ...


@pytest.fixture
def visit() -> Any:
    """Make a request of this user, or of a visitor, the current one."""
    tokens = []

    def enter(user: Any = None) -> Any:
        request = RequestFactory().get("/")
        request.user = user or AnonymousUser()
        request.session = SessionStore()
        tokens.append(current_request.set(request))
        return request

    yield enter
    for token in reversed(tokens):
        current_request.reset(token)


def choose(options: NotifyOptions | None, *args: Any, inherited: Any = None, **kwargs: Any) -> Any:
    call = TaskCall(task=task, options=options, args=args, kwargs=kwargs)
    return call.choose_header(inherited)


def test_no_recipient_is_known() -> None:
    assert choose(NotifyOptions()) is None


def test_the_user_of_the_request(visit: Any) -> None:
    visit(User(pk=1))
    assert choose(NotifyOptions()).recipients() == [ANN]


def test_inherited_recipients_take_precedence_over_the_request_without_the_group_member(
    visit: Any,
) -> None:
    visit(User(pk=1))
    assert choose(NotifyOptions(), inherited=INHERITED).to_dict() == {"to": [{"user": "2"}]}


@pytest.mark.django_db
def test_user_takes_precedence_over_inherited_recipients() -> None:
    header = choose(NotifyOptions(user="owner_id"), 1, inherited=INHERITED)
    assert header.to_dict() == {"to": [{"user": "1"}]}


@pytest.mark.django_db
def test_notify_takes_precedence_over_user() -> None:
    with notify(2):
        assert choose(NotifyOptions(user="owner_id"), 1).to_dict() == {"to": [{"user": "2"}]}


def test_notify_without_recipients() -> None:
    with notify():
        assert choose(NotifyOptions(), inherited=INHERITED).to_dict() == {"to": []}


def test_notify_refuses_what_is_no_recipient() -> None:
    with pytest.raises(UnknownRecipient), notify(AnonymousUser()):
        pass


def test_a_visitor_gets_an_address_only_for_a_decorated_task(visit: Any) -> None:
    request = visit()
    assert choose(None) is None
    assert not request.session.modified
    (recipient,) = choose(NotifyOptions()).recipients()
    assert recipient.is_visitor
    assert requester(mint=False) == recipient


def test_a_request_without_a_session_has_no_recipient(visit: Any) -> None:
    request = visit()
    del request.session
    assert requester() is None


@pytest.mark.parametrize(
    ("user", "args", "kwargs", "expected"),
    [
        ("owner_id", (1,), {}, [ANN]),
        ("owner_id", (), {"owner_id": 1}, [ANN]),
        ("owner_id", (), {}, [Recipient.for_user(7)]),
        ("owner_id", (None,), {}, []),
        ("owner_id", ([1, 2, 1],), {}, [ANN, BOB]),
        ("boss", (), {"boss": 2}, [BOB]),
        (2, (), {}, [BOB]),
        (ANN, (), {}, [ANN]),
        (User(pk=1), (), {}, [ANN]),
        (lambda *a, **k: None, (1,), {}, []),
        (lambda owner_id: [owner_id, BOB], (1,), {}, [ANN, BOB]),
        (lambda *a: 1 / 0, (), {}, []),
        ("owner_id", ("not a key",), {}, []),
        (AnonymousUser(), (), {}, []),
    ],
)
def test_whom_user_stands_for(user: Any, args: Any, kwargs: Any, expected: list[Recipient]) -> None:
    assert task_recipients.resolve_user(user, task, args, kwargs) == expected


@pytest.mark.parametrize("odd", [None, "x", {}, {"monitio": "x"}, {"monitio": {"to": "x"}}])
def test_a_malformed_header_is_none(odd: Any) -> None:
    assert TaskHeader.from_headers(odd) is None


def test_an_entry_that_cannot_be_read_is_left_out() -> None:
    assert TaskHeader(to=[7, {"user": "1"}, {}]).recipients() == [ANN]


def test_the_language_travels() -> None:
    header = TaskHeader.for_recipients([Recipient.for_user(1, "pl")])
    assert header.recipients()[0].language == "pl"


def test_only_listed_arguments_are_picked() -> None:
    picked = task_recipients.pick_arguments(
        task, ["owner_id", "month"], (1, 2), {"month": "May", "x": 3}
    )
    assert picked == {"owner_id": 1, "month": "May"}


def test_bad_arguments_pick_nothing() -> None:
    assert task_recipients.pick_arguments(lambda a: None, ["a"], (1, 2), {}) == {}


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"eta": None, "expires": None}, None),
        ({"eta": NOW.isoformat()}, NOW),
        ({"eta": NOW, "expires": NOW + timedelta(hours=1)}, NOW + timedelta(hours=1)),
        ({"eta": NOW.replace(tzinfo=None).isoformat()}, NOW),
        ({"eta": "nonsense", "expires": 10**20}, None),
    ],
)
def test_a_task_is_due_at_its_eta_before_it_expires(options: Any, expected: Any) -> None:
    assert headers.due_at(options) == expected


@pytest.mark.parametrize("options", [{"countdown": 60}, {"eta": 60.0}, {"expires": 60}])
def test_seconds_count_from_now(options: Any) -> None:
    found = headers.due_at(options)
    assert found is not None
    assert timedelta(seconds=50) < found - datetime.now(UTC) <= timedelta(seconds=60)


def test_what_replaces_a_task_belongs_to_its_run() -> None:
    replaced = TaskHeader(to=[], run=7)
    header = TaskHeader(to=[]).of_a_new_run().replacing("1", "a.b", replaced)
    assert header.run > 7
    assert header.for_task("1")[0].run == 7
    assert header.for_task("2")[0].run > 7


@pytest.mark.parametrize("run", [None, "7", -1, 2**70, []])
def test_a_run_that_is_no_number_is_none(run: Any) -> None:
    header = TaskHeader.from_dict({"to": [], "run": run})
    assert header is not None and header.run == 0


def test_children_are_runs_of_their_own() -> None:
    assert "run" not in TaskHeader(to=[], run=7).for_child().to_dict()


def test_the_keys_of_a_message_stay_as_they_are() -> None:
    """Workers of other versions read them."""
    part = {
        "group": "g", "number": 1, "total": 3, "title": "Import", "options": {"cancel": True},
        "skips": [[2, 3]], "follows": [[0, 1]],
    }  # fmt: skip
    heir = {"id": "1", "name": "a.b", "part": {**part, "lost_after": 7}, "run": 5}
    value = {"to": [{"user": "1"}], "scope": "a", "run": 6, "part": part, "heir": heir}
    header = TaskHeader.from_headers({"monitio": value})
    assert header is not None and header.to_dict() == value


@pytest.mark.parametrize("odd", ["x", {"group": "g"}, {"unknown": 1}])
def test_a_malformed_member_is_none(odd: Any) -> None:
    header = TaskHeader.from_dict({"to": [], "part": odd})
    assert header is not None and header.group_member is None
