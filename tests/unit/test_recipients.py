from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.backends.signed_cookies import SessionStore as CookieSession
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from monitio.exceptions import UnknownRecipient
from monitio.recipients import Recipient, page_fits, page_token, take_token
from tests.support.people import request_of, user

ANN = Recipient.for_user(42)
VISITOR = Recipient.for_visitor("a" * 32)


def test_is_a_user_or_a_visitor_and_never_both_or_neither() -> None:
    for wrong in ({}, {"user_pk": "1", "token": "a"}, {"user_pk": ""}):
        with pytest.raises(UnknownRecipient, match="either a user or a visitor"):
            Recipient(**wrong)
    assert VISITOR.is_visitor and not ANN.is_visitor


def test_keys_of_users_and_visitors_never_collide() -> None:
    assert ANN.key == ANN.topic == "user:42"
    assert VISITOR.key == "visitor:" + "a" * 32
    assert Recipient.for_visitor("42").key != ANN.key


def test_the_language_is_ignored_in_comparisons() -> None:
    polish = Recipient.for_user(42, "pl")
    assert polish == ANN and hash(polish) == hash(ANN) and polish.language == "pl"


def test_is_frozen() -> None:
    with pytest.raises(AttributeError):
        ANN.user_pk = "43"  # type: ignore[misc]


@pytest.mark.parametrize("recipient", [ANN, VISITOR, Recipient.for_user(1, "pl")])
def test_survives_json_and_its_key(recipient: Recipient) -> None:
    again = Recipient.from_dict(recipient.to_dict())
    assert again == recipient and again.language == recipient.language
    assert Recipient.from_key(recipient.key) == recipient


@pytest.mark.parametrize("wrong", [None, {}, "user:42", 42, {"user": "1", "visitor": "a"}])
def test_refuses_malformed_dictionaries(wrong: Any) -> None:
    with pytest.raises(UnknownRecipient):
        Recipient.from_dict(wrong)


@pytest.mark.parametrize(
    "wrong", [None, True, AnonymousUser(), "ann", "", User(), Group(pk=42), object(), b"\0", [1]]
)
def test_refuses_values_that_are_not_users(wrong: Any) -> None:
    with pytest.raises(UnknownRecipient):
        Recipient.of(wrong)


def test_takes_users_lazy_users_keys_and_recipients() -> None:
    person = User(pk=42)
    for who in (person, SimpleLazyObject(lambda: person), 42, "42", " 42", ANN):
        assert Recipient.of(who) == ANN
    assert ANN.user_id == 42


def test_keys_of_other_types_are_text_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import models

    key = models.UUIDField(primary_key=True)
    monkeypatch.setattr("monitio.recipients.get_user_model", lambda: _model_with(key))
    pk = uuid.uuid4()
    assert Recipient.for_user(str(pk).upper()) == Recipient.for_user(pk)
    assert Recipient.for_user(pk).user_id == pk
    with pytest.raises(UnknownRecipient, match="not the primary key of a user"):
        Recipient.for_user("42")


def _model_with(key: Any) -> Any:
    return type("Model", (), {"_meta": type("Meta", (), {"pk": key})})


def test_the_representation_hides_a_visitors_token() -> None:
    assert "aaa" not in repr(VISITOR)
    assert "42" in repr(ANN)


# Requests.


def test_a_signed_in_request_is_its_user(db: None) -> None:
    ann = user()
    with translation.override("pl"):
        recipient = Recipient.from_request(request_of(ann))
    assert recipient == Recipient.for_user(ann) and recipient.language == "pl"


def test_reading_creates_no_token_and_does_not_use_the_session(db: None) -> None:
    request = request_of(None)
    assert Recipient.existing(request) is None
    assert not request.session.modified and not request.session.accessed


def test_a_visitor_keeps_the_token(db: None) -> None:
    request = request_of(None)
    visitor = Recipient.from_request(request)
    assert visitor.is_visitor and request.session.modified
    assert Recipient.from_request(request) == Recipient.existing(request) == visitor
    request.session.cycle_key()
    assert Recipient.existing(request) == visitor
    request.session.flush()
    assert Recipient.existing(request) is None


def test_the_token_is_not_the_session_key(db: None) -> None:
    session = SessionStore()
    session.create()
    visitor = Recipient.from_request(request_of(None, session))
    assert visitor.token and session.session_key not in visitor.token


@pytest.mark.parametrize("engine", [SessionStore, CookieSession])
def test_parallel_first_requests_agree_on_the_token(db: None, engine: Any) -> None:
    session = engine()
    session["cart"] = 1
    session.save()
    first, second = (request_of(None, engine(session.session_key)) for _ in range(2))
    assert Recipient.from_request(first) == Recipient.from_request(second)


def test_two_visitors_never_share_a_token(db: None) -> None:
    tokens = {Recipient.from_request(request_of(None)).token for _ in range(3)}
    assert len(tokens) == 3


def test_a_token_expires_and_is_never_created_again(
    db: None, settings: Any, time_machine: Any
) -> None:
    settings.MONITIO_VISITOR_AGE = 100
    session = SessionStore()
    session.create()
    request = request_of(None, session)
    visitor = Recipient.from_request(request)
    time_machine.move_to(time.time() + 101)
    assert Recipient.existing(request) is None
    assert Recipient.from_request(request) != visitor


@pytest.mark.parametrize("stored", ["a" * 32, {"token": 7}, {"until": 9e12}, 42, []])
def test_an_invalid_value_in_the_session_is_ignored(db: None, stored: Any) -> None:
    session = SessionStore()
    session["_monitio_visitor"] = stored
    request = request_of(None, session)
    assert Recipient.existing(request) is None
    assert Recipient.from_request(request).is_visitor


def test_a_log_in_removes_the_token_from_the_session(db: None) -> None:
    request = request_of(None)
    token = Recipient.from_request(request).token
    assert take_token(request.session) == token
    assert take_token(request.session) is None
    assert take_token(None) is None


# Pages.


def test_a_page_token_is_valid_only_for_its_user() -> None:
    token = page_token(ANN)
    assert page_fits(token, ANN)
    assert not page_fits(token, Recipient.for_user(43))
    assert not page_fits(token, VISITOR)
    assert not page_fits("", ANN)
    assert not page_fits(token.upper(), ANN) and not page_fits("ż", ANN)


def test_a_visitors_page_token_is_valid_for_visitors_only() -> None:
    assert page_fits(page_token(VISITOR), VISITOR)
    assert page_fits(page_token(VISITOR), Recipient.for_visitor("b" * 32))
    assert not page_fits(page_token(VISITOR), ANN)


def test_a_page_token_reveals_nothing() -> None:
    assert VISITOR.token not in page_token(VISITOR)
    assert page_token(ANN) != page_token(Recipient.for_user(43))
