"""The conformance suite: the documented behaviour of Django's message storages.

A subclass sets ``signed_in``: ``person`` is a user, or None for an anonymous visitor.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import messages
from django.contrib.messages import MessageFailure, constants, get_messages, set_level
from django.contrib.messages.storage.base import Message
from django.contrib.messages.test import MessagesTestMixin
from django.db import connections
from django.http import HttpRequest
from django.template import Context, Template
from django.test import Client, TestCase
from django.utils.safestring import SafeData, mark_safe
from django.utils.translation import gettext_lazy, override

from tests.support.people import next_request, request_of, respond, shown, user

LEVELS = ("debug", "info", "success", "warning", "error")


class MessagesConformance:
    """Subclass it, and set ``signed_in``."""

    signed_in: bool

    @pytest.fixture(autouse=True)
    def _site(self, db: None, settings: Any) -> None:
        settings.ROOT_URLCONF = "tests.integration.storage.site"
        settings.MESSAGE_LEVEL = constants.DEBUG

    @pytest.fixture
    def person(self) -> Any:
        return user() if self.signed_in else None

    @pytest.fixture
    def browser(self, person: Any, client: Client) -> Client:
        if person:
            client.force_login(person)
        return client

    @pytest.fixture
    def request_(self, person: Any) -> HttpRequest:
        return request_of(person)

    # Adding and storing.

    def test_a_new_message_is_queued_and_marks_the_storage(self, request_: HttpRequest) -> None:
        storage = request_._messages
        assert (storage.added_new, storage.used) == (False, False)
        messages.info(request_, "one")
        assert (storage.added_new, storage.used) == (True, False)
        messages.info(request_, "two")
        assert len(storage) == 2

    def test_nothing_added_stores_nothing(self, request_: HttpRequest) -> None:
        respond(request_)
        assert shown(next_request(request_)) == []

    def test_added_messages_show_on_the_next_page_in_order(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        messages.warning(request_, "two")
        following = next_request(request_, respond(request_))
        assert shown(following) == ["one", "two"]

    def test_messages_that_were_not_shown_wait_for_the_next_page(
        self, request_: HttpRequest
    ) -> None:
        messages.info(request_, "one")
        second = next_request(request_, respond(request_))
        messages.info(second, "two")
        third = next_request(second, respond(second))
        silent = next_request(third, respond(third))
        assert shown(silent) == ["one", "two"]

    def test_shown_messages_are_gone(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        second = next_request(request_, respond(request_))
        assert shown(second) == ["one"]
        third = next_request(second, respond(second))
        assert shown(third) == []

    def test_read_then_add_keeps_what_was_added_after(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        second = next_request(request_, respond(request_))
        assert shown(second) == ["one"]
        messages.info(second, "two")
        third = next_request(second, respond(second))
        assert shown(third) == ["two"]

    def test_add_then_read_shows_both_and_keeps_neither(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        second = next_request(request_, respond(request_))
        messages.info(second, "two")
        assert shown(second) == ["one", "two"]
        third = next_request(second, respond(second))
        assert shown(third) == []

    def test_shown_in_the_request_that_added_it_is_never_stored(
        self, request_: HttpRequest
    ) -> None:
        messages.info(request_, "one")
        assert shown(request_) == ["one"]
        assert shown(next_request(request_, respond(request_))) == []

    def test_used_set_back_to_false_keeps_what_was_shown(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        second = next_request(request_, respond(request_))
        messages.info(second, "two")
        assert shown(second) == ["one", "two"]
        second._messages.used = False
        third = next_request(second, respond(second))
        assert shown(third) == ["one", "two"]

    def test_iterating_twice_in_one_request_shows_the_same(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        second = next_request(request_, respond(request_))
        assert shown(second) == shown(second) == ["one"]

    def test_counting_does_not_show(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        second = next_request(request_, respond(request_))
        assert len(second._messages) == 1
        assert not second._messages.used
        assert shown(next_request(second, respond(second))) == ["one"]

    def test_contains_finds_queued_and_stored_messages(self, request_: HttpRequest) -> None:
        messages.info(request_, "one")
        assert Message(constants.INFO, "other") not in request_._messages
        second = next_request(request_, respond(request_))
        assert Message(constants.INFO, "one") in second._messages
        messages.info(second, "two")
        assert second._messages._queued_messages[0] in second._messages

    def test_a_message_equals_djangos_own(self, request_: HttpRequest) -> None:
        messages.info(request_, "one", extra_tags="tag")
        (message,) = next_request(request_, respond(request_))._messages
        assert message == Message(constants.INFO, "one")
        assert message != Message(constants.ERROR, "one")
        assert message != Message(constants.INFO, "other")

    def test_the_representation_names_the_storage_and_no_text(self, request_: HttpRequest) -> None:
        messages.info(request_, "secret")
        text = repr(request_._messages)
        assert text.startswith("<PersistentMessageStorage: request=")
        assert "secret" not in text

    # Contents of messages.

    def test_an_empty_text_is_not_a_message(self, request_: HttpRequest) -> None:
        messages.info(request_, "")
        assert len(request_._messages) == 0
        assert not request_._messages.added_new

    def test_lazy_text_and_tags_are_translated_when_stored(self, request_: HttpRequest) -> None:
        messages.info(request_, gettext_lazy("Yes"), extra_tags=gettext_lazy("No"))
        with override("pl"):
            following = next_request(request_, respond(request_))
        (message,) = following._messages
        assert message.message == "Tak"
        assert message.extra_tags == "Nie"

    def test_anything_with_a_text_can_be_a_message(self, request_: HttpRequest) -> None:
        messages.error(request_, ValueError("too large"))  # type: ignore[arg-type]
        assert shown(next_request(request_, respond(request_))) == ["too large"]

    def test_safe_text_stays_safe_and_other_text_is_escaped(self, request_: HttpRequest) -> None:
        messages.info(request_, mark_safe("<b>one</b>"))
        messages.info(request_, "<b>two</b>")
        following = next_request(request_, respond(request_))
        safe, plain = following._messages
        assert isinstance(safe.message, SafeData)
        assert not isinstance(plain.message, SafeData)
        page = Template("{% for m in messages %}{{ m }}|{{ m.message }} {% endfor %}")
        assert page.render(Context({"messages": [safe, plain]})) == (
            "<b>one</b>|<b>one</b> &lt;b&gt;two&lt;/b&gt;|&lt;b&gt;two&lt;/b&gt; "
        )

    def test_text_of_every_script_and_length_survives(self, request_: HttpRequest) -> None:
        texts = ["Zażółć gęślą jaźń", "日本語 🎉", "a;b,c\\\"'\r\n", "x" * 9000]
        for text in texts:
            messages.info(request_, text)
        assert shown(next_request(request_, respond(request_))) == texts

    def test_more_than_a_cookie_holds_is_kept_in_order(self, request_: HttpRequest) -> None:
        texts = [f"{number} " + "x" * 900 for number in range(12)]
        for text in texts:
            messages.info(request_, text)
        second = next_request(request_, respond(request_))
        assert sorted(shown(second)) == sorted(texts)
        assert shown(next_request(second, respond(second))) == []

    def test_tags_are_extra_tags_and_level(self, request_: HttpRequest) -> None:
        messages.info(request_, "one", extra_tags="extra more")
        messages.warning(request_, "two", extra_tags=None)  # type: ignore[arg-type]
        messages.add_message(request_, 33, "three")
        following = next_request(request_, respond(request_))
        tags = [message.tags for message in following._messages]
        assert tags == ["extra more info", "warning", ""]
        assert [message.level_tag for message in following._messages] == ["info", "warning", ""]

    def test_message_tags_of_the_site_are_used(self, request_: HttpRequest, settings: Any) -> None:
        settings.MESSAGE_TAGS = {constants.INFO: "info-box", 33: "custom"}
        messages.info(request_, "one", extra_tags="extra")
        messages.add_message(request_, 33, "two")
        messages.error(request_, "three")
        following = next_request(request_, respond(request_))
        tags = [message.tags for message in following._messages]
        assert tags == ["extra info-box", "custom", "error"]

    # Levels.

    def test_levels_below_the_storages_are_not_recorded(self, request_: HttpRequest) -> None:
        set_level(request_, constants.WARNING)
        for level in LEVELS:
            getattr(messages, level)(request_, level)
        assert shown(next_request(request_, respond(request_))) == ["warning", "error"]

    def test_the_default_level_is_info_and_a_setting(
        self, request_: HttpRequest, settings: Any
    ) -> None:
        assert request_._messages.level == constants.DEBUG
        del settings.MESSAGE_LEVEL
        assert next_request(request_)._messages.level == constants.INFO
        set_level(request_, 35)
        assert messages.get_level(request_) == 35
        set_level(request_, None)  # type: ignore[arg-type]
        assert messages.get_level(request_) == constants.INFO

    # Whole requests.

    @pytest.mark.parametrize("page", ["/show/", "/show_later/"])
    @pytest.mark.parametrize("level", LEVELS)
    def test_a_request_adds_and_the_page_it_leads_to_shows(
        self, browser: Client, level: str, page: str
    ) -> None:
        texts = [f"Test message {number}" for number in range(5)]
        data = {"messages": texts, "next": page}
        response = browser.post(f"/add/{level}/", data, follow=True)
        assert response.redirect_chain == [(page, 302)]
        for text in texts:
            assert f'<li class="{level}">{text}</li>' in response.content.decode()
        assert b"<li" not in browser.get(page).content

    def test_the_context_holds_the_messages_as_in_djangos_tests(self, browser: Client) -> None:
        data = {"messages": ["one", "two"], "next": "/show_later/"}
        response = browser.post("/add/info/", data, follow=True)
        assert list(response.context["messages"]) == [
            Message(constants.INFO, "one"),
            Message(constants.INFO, "two"),
        ]

    def test_several_posts_before_a_page_collect(self, browser: Client) -> None:
        texts = []
        for level in LEVELS:
            texts += [f"{level} 1", f"{level} 2"]
            browser.post(f"/add/{level}/", {"messages": texts[-2:]})
        body = browser.get("/show/").content.decode()
        positions = [body.index(text) for text in texts]
        assert positions == sorted(positions)
        assert b"<li" not in browser.get("/show/").content

    def test_added_while_rendering_is_shown_once(self, browser: Client) -> None:
        assert b"added and shown at once" in browser.get("/add_and_show/").content
        assert b"<li" not in browser.get("/show/").content

    def test_the_context_processor_offers_the_levels(self, browser: Client) -> None:
        content = browser.get("/levels/").content.decode()
        assert "DEBUG" in content and "40" in content

    def test_success_message_mixin(self, browser: Client) -> None:
        response = browser.post("/contact/", {"name": "Ann <b>"}, follow=True)
        assert "Ann &lt;b&gt; was created" in response.content.decode()
        assert browser.post("/contact/", {}).content == b"invalid"
        assert b"<li" not in browser.get("/show/").content

    def test_without_the_middleware_adding_fails_with_the_reason(
        self, browser: Client, settings: Any
    ) -> None:
        without_middleware(settings)
        with pytest.raises(MessageFailure, match="MessageMiddleware"):
            browser.post("/add/info/", {"messages": ["one"]})

    def test_without_the_middleware_adding_can_fail_silently(
        self, browser: Client, settings: Any
    ) -> None:
        without_middleware(settings)
        response = browser.post("/add/info/", {"messages": ["one"], "silently": "1"}, follow=True)
        assert response.status_code == 200
        assert b"one" not in response.content

    # Django's test tools.

    def test_assert_messages_of_djangos_mixin_after_a_redirect(self, browser: Client) -> None:
        response = browser.post("/add/info/", {"messages": ["one", "two"]})
        expected = [Message(constants.INFO, "one"), Message(constants.INFO, "two")]
        Asserting().assertMessages(response, expected)
        Asserting().assertMessages(response, expected[::-1], ordered=False)
        with pytest.raises(AssertionError):
            Asserting().assertMessages(response, expected[:1])

    def test_looking_at_a_responses_messages_shows_none_of_them(self, browser: Client) -> None:
        response = browser.post("/add/info/", {"messages": ["one"]})
        assert len(list(get_messages(response.wsgi_request))) == 1
        assert b"one" in browser.get("/show/").content
        browser.post("/add/info/", {"messages": ["earlier"]})
        response = browser.post("/add/info/", {"messages": ["later"]})
        looked_at = [str(message) for message in get_messages(response.wsgi_request)]
        assert looked_at == ["earlier", "later"]
        content = browser.get("/show/").content.decode()
        assert "earlier" in content and "later" in content
        page = browser.post("/add/info/", {"messages": ["two"]}, follow=True)
        assert [str(message) for message in get_messages(page.wsgi_request)] == ["two"]


class Asserting(MessagesTestMixin, TestCase):
    """Django's assertions for use outside of Django's test classes."""

    def runTest(self) -> None:
        raise NotImplementedError


def without_middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if "messages" not in path]


@pytest.fixture
def atomic_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every view in a transaction, as with ATOMIC_REQUESTS = True."""
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    assert connections.settings["default"]["ATOMIC_REQUESTS"]
