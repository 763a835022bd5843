"""monitio.contrib.drf uses the authentication classes of Django REST framework."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from monitio import INFO, create_message
from monitio.models import Message

pytestmark = pytest.mark.django_db
HERE = "tests.unit.contrib.test_drf"
DRF = "rest_framework.authentication"
JSON = reverse("message_json")


class Tokens(TokenAuthentication):
    """Token authentication without the table of ``rest_framework.authtoken``."""

    def authenticate_credentials(self, key: str) -> Any:
        from django.contrib.auth import get_user_model

        user = get_user_model()._default_manager.filter(username=key).first()
        if key == "expired":
            raise AuthenticationFailed({"detail": "Token is expired", "code": "token_not_valid"})
        if user is None:
            raise AuthenticationFailed("Invalid token.")
        return user, key


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.MONITIO_AUTHENTICATION = ["monitio.contrib.drf.authenticate"]
    settings.REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": [
            f"{DRF}.SessionAuthentication",
            f"{DRF}.BasicAuthentication",
            f"{HERE}.Tokens",
        ]
    }


def get(client: Client, authorization: str = "") -> Any:
    return client.get(JSON, headers={"Authorization": authorization} if authorization else {})


def post(client: Client, message: Message, authorization: str = "") -> int:
    headers = {"Authorization": authorization} if authorization else {}
    address = reverse("message_mark_read", args=[message.pk])
    return client.post(address, headers=headers).status_code


def test_a_token_is_its_users(ann: Any) -> None:
    create_message(ann, INFO, "For Ann")
    assert get(Client(), "Token ann").json()["unread"] == 1


@pytest.mark.parametrize(
    ("token", "reason"), [("forged", "Invalid token."), ("expired", "Token is expired")]
)
def test_an_invalid_token_is_refused(browser: Client, token: str, reason: str) -> None:
    response = get(browser, f"Token {token}")
    assert (response.status_code, response.json()["error"]) == (401, reason)


def test_without_credentials_the_session_decides(browser: Client, ann: Any) -> None:
    create_message(ann, INFO, "For Ann")
    assert get(browser).json()["unread"] == 1
    assert get(Client()).json()["unread"] == 0


def test_only_a_token_needs_no_csrf_token(ann: Any) -> None:
    message = create_message(ann, INFO, "For Ann")
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann)
    basic = "Basic " + b64encode(b"ann:secret").decode()
    assert get(Client(), basic).json()["unread"] == 1
    assert [post(client, message, one) for one in ("", basic, "Token ann")] == [403, 403, 302]
