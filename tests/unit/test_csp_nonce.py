"""Every tag of monitio's pages has the nonce of a Content Security Policy."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any

import django
import pytest
from csp.constants import NONCE
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.functional import SimpleLazyObject, empty

import monitio
from monitio import api, urls
from monitio.models import Message
from tests.support.people import user

pytestmark = pytest.mark.django_db

TAGS = re.compile(r"<(?:script|style|link)\b[^>]*>")
POLICY = re.compile(r"'nonce-([^']+)'")


class LazyNonce(SimpleLazyObject):
    """A nonce as in Django 6 and django-csp: false until it is used."""

    def __init__(self) -> None:
        super().__init__(lambda: secrets.token_urlsafe(8))

    def __bool__(self) -> bool:
        return self.__dict__["_wrapped"] is not empty


class NonceMiddleware:
    """Adds the nonce to the policy only if the page has used it, as Django 6 does."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        nonce = LazyNonce()
        request._csp_nonce = nonce  # type: ignore[attr-defined]
        response = self.get_response(request)
        if nonce:
            response["Content-Security-Policy"] = f"script-src 'nonce-{nonce}'"
        return response


def nonce_context(request: HttpRequest) -> dict[str, Any]:
    return {"csp_nonce": request._csp_nonce}  # type: ignore[attr-defined]


def use_django_csp(settings: Any) -> None:
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"script-src": [NONCE]}}
    settings.MIDDLEWARE = ["csp.middleware.CSPMiddleware", *settings.MIDDLEWARE]


def use_django(settings: Any) -> None:
    if django.VERSION < (6,):
        pytest.skip("Django has a Content Security Policy of its own since 6.0.")
    settings.SECURE_CSP = {"script-src": ["<CSP_NONCE_SENTINEL>"]}
    settings.MIDDLEWARE = [
        "django.middleware.csp.ContentSecurityPolicyMiddleware",
        *settings.MIDDLEWARE,
    ]


def use_nonce_middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.NonceMiddleware", *settings.MIDDLEWARE]


def add_context_processor(settings: Any, path: str) -> None:
    (engine,) = settings.TEMPLATES
    processors = [*engine["OPTIONS"]["context_processors"], path]
    settings.TEMPLATES = [
        {**engine, "OPTIONS": {**engine["OPTIONS"], "context_processors": processors}}
    ]


@pytest.fixture(
    params=["django-csp", "django", "django, in the context", "lazy", "lazy, in the context"]
)
def policy(request: pytest.FixtureRequest, settings: Any) -> None:
    if request.param == "django-csp":
        use_django_csp(settings)
        return
    is_real = request.param.startswith("django")
    (use_django if is_real else use_nonce_middleware)(settings)
    if request.param.endswith("context"):
        ours = f"{__name__}.nonce_context"
        add_context_processor(
            settings, "django.template.context_processors.csp" if is_real else ours
        )


@pytest.fixture
def browser() -> Client:
    """A client in which ann is logged in; she has a message with a sender."""
    client = Client()
    ann, bob = user("ann"), user("bob")
    client.force_login(ann)
    api.create_message(ann, monitio.INFO, "hello", from_user=bob)
    return client


def addresses() -> list[str]:
    """Every URL of monitio.urls."""
    known = {
        "message_id": Message.objects.get().pk,
        "file_id": 1,
        "token": "spoiled",
        "channel": "ann",
    }
    found = []
    for route in urls.urlpatterns:
        arguments = {name: known[name] for name in route.pattern.converters}
        found.append(reverse(str(route.name), kwargs=arguments))
    return found


@pytest.mark.usefixtures("policy")
def test_every_tag_of_every_page_carries_the_nonce_of_its_policy(
    browser: Client, settings: Any
) -> None:
    # Streams end at once.
    settings.MONITIO_STREAMS_PER_PROCESS = 0
    pages = 0
    for address in addresses():
        answer = browser.get(address)
        if b"monitio-page" not in answer.getvalue():
            continue
        pages += 1
        found = POLICY.search(answer.headers.get("Content-Security-Policy", ""))
        assert found, address
        tags = TAGS.findall(answer.content.decode())
        assert tags and all(f'nonce="{found[1]}"' in tag for tag in tags), (address, tags)
    assert pages >= 8


def test_the_documented_include_has_the_nonce() -> None:
    request = RequestFactory().get("/")
    request.csp_nonce = LazyNonce()  # type: ignore[attr-defined]
    page = render_to_string(
        "monitio/message/includes/messages.jquery.html", {"messages": [Message(pk=1)]}, request
    )
    assert [f'nonce="{request.csp_nonce}"' in tag for tag in TAGS.findall(page)] == [True]  # type: ignore[attr-defined]


def test_without_a_nonce_no_tag_has_one(browser: Client) -> None:
    assert "nonce" not in browser.get(reverse("message_list")).content.decode()
