"""The preferences page, and unsubscribing without a log-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

import monitio
from monitio import api, dispatch, preferences
from monitio.channels import destinations
from monitio.messages import ratelimit
from monitio.models import Delivery, Destination, Message, Preferences
from monitio.preferences.choices import Frequency, Mode
from monitio.stream.broadcaster import get_broadcaster
from monitio.views import preferences as preference_views
from tests.support.people import user, visitor_of
from tests.unit.channels.test_destinations import Pager

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture(autouse=True)
def _site(settings: Any) -> Iterator[None]:
    settings.MONITIO_BASE_URL = "https://example.com"
    settings.MONITIO_CATEGORIES = {
        "exports": {"title": "Exports <all>"},
        "security": {"title": "Security", "essential": True},
    }
    cache.clear()
    yield
    get_broadcaster().stop()


def body(response: Any) -> str:
    return str(response.content.decode())


class TestPage:
    url = "/messages/preferences/"
    choice = {
        "frequency": "daily",
        "hour": "7",
        "weekday": "0",
        "time_zone": "Europe/Warsaw",
        "quiet_from": "22:00",
        "quiet_to": "06:30",
        "category:exports": "off",
    }

    def test_submitted_values_are_saved(self, browser: Client, ann: Any) -> None:
        response = browser.post(self.url, self.choice)
        assert (response.status_code, response["Location"]) == (302, f"{self.url}?saved=1")
        row = preferences.for_user(ann)
        assert (row.frequency, row.hour, row.time_zone) == (Frequency.DAILY, 7, "Europe/Warsaw")
        assert (row.quiet_from, row.quiet_to) == (time(22), time(6, 30))
        assert row.mode("exports") == Mode.OFF
        assert row.language == "en"

    def test_it_shows_that_it_was_saved(self, browser: Client) -> None:
        assert "Saved." in body(browser.get(f"{self.url}?saved=1"))
        assert "Saved." not in body(browser.get(self.url))

    def test_it_shows_what_was_chosen(self, browser: Client) -> None:
        browser.post(self.url, self.choice)
        page = body(browser.get(self.url))
        for selected in ("daily", "7", "Europe/Warsaw", "off"):
            assert re.search(f'<option value="{selected}" selected>', page), selected
        assert 'value="22:00"' in page and 'value="06:30"' in page

    def test_the_next_digest_is_shown_in_the_users_own_time(
        self, browser: Client, ann: Any
    ) -> None:
        preferences.change(ann, frequency="daily", time_zone="Asia/Tokyo")
        moment = datetime(2026, 11, 23, 23, tzinfo=UTC)
        Preferences.objects.update(next_digest_at=moment)
        assert "Your next digest: 24 Nov 2026, 08:00" in body(browser.get(self.url))

    def test_a_wrong_value_is_reported_and_changes_nothing(self, browser: Client) -> None:
        response = browser.post(self.url, {**self.choice, "quiet_to": ""})
        assert "Quiet hours need a start and an end." in body(response)
        response = browser.post(self.url, {**self.choice, "time_zone": "Mars/Olympus"})
        assert "Mars/Olympus" in body(response)
        assert not Preferences.objects.exists()

    def test_essential_kinds_are_named_and_offer_no_choice(self, browser: Client) -> None:
        page = body(browser.get(self.url))
        assert re.search("Security</th><td[^>]*>Always sent", page)
        assert "category:security" not in page
        browser.post(self.url, {**self.choice, "category:security": "off"})
        assert preferences.get(user(), "security") == Mode.AT_ONCE

    def test_each_category_has_a_choice_for_each_channel(
        self, browser: Client, ann: Any, settings: Any
    ) -> None:
        email = "monitio.channels.email.channel.EmailChannel"
        settings.MONITIO_CHANNELS = {
            "pager": "tests.unit.channels.test_destinations.Pager",
            "email": email,
        }
        page = browser.get(self.url)
        channels = page.context["form"].channels
        assert [channel.label for channel in channels] == ["E-mail", "Pager"]
        assert 'aria-label="Exports &lt;all&gt;: Pager"' in body(page)
        # Only e-mails can be sent as digests.
        select = body(page).split('name="pager:exports"')[1].split("</select>")[0]
        assert re.findall('value="([^"]*)"', select) == ["", "at_once", "off"]
        browser.post(self.url, {**self.choice, "pager:exports": "off", "category:exports": ""})
        row = preferences.for_user(ann)
        assert row.mode("exports", "pager") == Mode.OFF
        assert row.mode("exports") == Mode.DIGEST
        assert row.mode("", "pager") == Mode.AT_ONCE

    def test_categories_of_the_users_messages_can_be_chosen(
        self, browser: Client, ann: Any
    ) -> None:
        api.create_message(ann, monitio.INFO, "one", category="weekly_report")
        api.create_message(user("bob"), monitio.INFO, "one", category="secret_plans")
        page = body(browser.get(self.url))
        assert "Weekly report" in page and "Everything else" in page
        assert "Secret plans" not in page

    def test_titles_are_escaped(self, browser: Client) -> None:
        assert "Exports &lt;all&gt;" in body(browser.get(self.url))

    def test_visitors_are_redirected_to_the_log_in(
        self, client: Client, db: None, settings: Any
    ) -> None:
        settings.LOGIN_URL = "/login/"
        visitor_of(client)
        response = client.get(self.url)
        assert (response.status_code, urlsplit(response["Location"]).path) == (302, "/login/")
        assert client.post(self.url, self.choice).status_code == 302
        assert not Preferences.objects.exists()

    def test_it_is_protected_from_other_sites(self, ann: Any) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(ann)
        assert browser.post(self.url, self.choice).status_code == 403

    def test_a_user_cannot_change_those_of_another(self, browser: Client) -> None:
        browser.post(self.url, {**self.choice, "user": str(user("bob").pk)})
        assert [row.user for row in Preferences.objects.all()] == [user()]

    def test_the_inbox_leads_there(self, browser: Client) -> None:
        assert self.url in body(browser.get(reverse("message_list")))
        assert self.url not in body(Client().get(reverse("message_list")))

    def test_it_is_translated(self, browser: Client) -> None:
        page = body(browser.get(self.url, headers={"accept-language": "pl"}))
        assert "Godziny ciszy" in page
        assert "Save" not in page


class TestUnsubscribing:
    """Requests of a mail client: without cookies, with CSRF checks enforced."""

    @pytest.fixture
    def mail_client(self, ann: Any) -> Client:
        return Client(enforce_csrf_checks=True)

    @pytest.fixture
    def link(self, ann: Any) -> str:
        return self.path(ann, "exports")

    def path(self, who: Any, category: str | None) -> str:
        url = preferences.unsubscribe_url(who, category)
        assert url
        return urlsplit(url).path

    def undo(self, response: Any) -> str:
        found = re.search('name="undo" value="([^"]+)"', body(response))
        assert found
        return found[1]

    def test_one_click_ends_the_category(self, mail_client: Client, link: str, ann: Any) -> None:
        response: Any = mail_client.post(link, ONE_CLICK)
        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/plain")
        assert preferences.get(ann, "exports") == Mode.OFF
        assert preferences.get(ann, "") == Mode.AT_ONCE

    def test_it_takes_a_multipart_form_and_no_particular_body(
        self, mail_client: Client, link: str, ann: Any
    ) -> None:
        content = {"content_type": "application/x-www-form-urlencoded"}
        mail_client.post(link, "List-Unsubscribe=One-Click", **content)
        assert preferences.get(ann, "exports") == Mode.OFF

    def test_no_cookie_and_no_redirect(self, mail_client: Client, link: str) -> None:
        answers: list[Any] = [
            mail_client.get(link), mail_client.post(link, ONE_CLICK), mail_client.post(link),
        ]  # fmt: skip
        for answer in answers:
            assert answer.status_code == 200
            assert not answer.cookies
            assert answer["Referrer-Policy"] if answer is not answers[1] else True
        assert not mail_client.cookies

    def test_a_get_request_unsubscribes_nothing(
        self, mail_client: Client, link: str, ann: Any
    ) -> None:
        # Mail scanners request every link.
        page = body(mail_client.get(link))
        mail_client.head(link)
        assert "Exports &lt;all&gt;" in page and '<form method="post"' in page
        assert preferences.get(ann, "exports") == Mode.AT_ONCE

    def test_the_page_holds_no_name(self, mail_client: Client, link: str, ann: Any) -> None:
        pages = body(mail_client.get(link)) + body(mail_client.post(link))
        assert ann.username not in pages.replace("Cannot", "")
        assert ann.email not in pages

    def test_it_works_while_another_user_is_signed_in(
        self, client: Client, link: str, ann: Any
    ) -> None:
        client.force_login(user("bob"))
        client.post(link)
        assert preferences.get(ann, "exports") == Mode.OFF
        assert preferences.get(user("bob"), "exports") == Mode.AT_ONCE

    def test_it_works_where_every_page_needs_a_log_in(
        self, mail_client: Client, link: str, ann: Any, settings: Any
    ) -> None:
        login = "django.contrib.auth.middleware.LoginRequiredMiddleware"
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, login]
        assert mail_client.post(link, ONE_CLICK).status_code == 200
        assert preferences.get(ann, "exports") == Mode.OFF

    def test_unsubscribing_twice_has_the_same_effect(
        self, mail_client: Client, link: str, ann: Any
    ) -> None:
        for _ in range(2):
            assert mail_client.post(link, ONE_CLICK).status_code == 200
        assert preferences.get(ann, "exports") == Mode.OFF

    def test_it_can_be_undone(self, mail_client: Client, link: str, ann: Any) -> None:
        preferences.change(ann, categories={"exports": "digest"})
        way_back = self.undo(mail_client.post(link))
        assert preferences.get(ann, "exports") == Mode.OFF
        page = body(mail_client.post(link, {"undo": way_back}))
        assert "previous preferences have been restored" in page
        assert preferences.get(ann, "exports") == Mode.DIGEST

    def test_after_two_clicks_it_can_still_be_undone(
        self, mail_client: Client, link: str, ann: Any
    ) -> None:
        for leaving in (link, self.path(ann, None)):
            mail_client.post(leaving)
            way_back = self.undo(mail_client.post(leaving))
            mail_client.post(leaving, {"undo": way_back})
        assert preferences.get(ann, "exports") == Mode.AT_ONCE

    def test_get_requests_are_not_limited(
        self, mail_client: Client, link: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preference_views, "CLICKS", 1)
        for _ in range(3):
            mail_client.get(link)
        assert mail_client.post(link, ONE_CLICK).status_code == 200

    def test_all_can_be_ended_and_undone(self, mail_client: Client, ann: Any) -> None:
        preferences.change(ann, frequency="weekly")
        link = self.path(ann, None)
        way_back = self.undo(mail_client.post(link))
        assert preferences.for_user(ann).frequency == Frequency.NEVER
        mail_client.post(link, {"undo": way_back})
        assert preferences.for_user(ann).frequency == Frequency.WEEKLY

    def test_an_undo_token_of_another_link_is_refused(
        self, mail_client: Client, link: str, ann: Any
    ) -> None:
        way_back = self.undo(mail_client.post(self.path(user("bob"), "exports")))
        response: Any = mail_client.post(link, {"undo": way_back})
        assert response.status_code == 400
        assert preferences.get(user("bob"), "exports") == Mode.OFF

    def test_an_unsubscribe_token_does_not_undo(self, mail_client: Client, link: str) -> None:
        token = link.rstrip("/").rpartition("/")[2]
        response: Any = mail_client.post(link, {"undo": token})
        assert response.status_code == 400

    def test_it_survives_a_new_password(self, mail_client: Client, link: str, ann: Any) -> None:
        ann.set_password("another")
        ann.save()
        assert mail_client.post(link, ONE_CLICK).status_code == 200
        assert preferences.get(ann, "exports") == Mode.OFF

    def test_it_survives_a_new_secret_key(
        self, mail_client: Client, link: str, ann: Any, settings: Any
    ) -> None:
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
        mail_client.post(link, ONE_CLICK)
        assert preferences.get(ann, "exports") == Mode.OFF

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_changed_link_gets_a_clear_page(
        self, mail_client: Client, link: str, method: str, ann: Any
    ) -> None:
        for spoiled in (f"{link[:-1]}xx/", "/messages/unsubscribe/x/", link.replace(":", "")):
            response: Any = getattr(mail_client, method)(spoiled)
            assert response.status_code == 400
            assert "This link is invalid" in body(response)
        assert not Preferences.objects.exists()

    def test_a_link_of_a_deleted_user_gets_a_clear_page(
        self, mail_client: Client, link: str, ann: Any
    ) -> None:
        ann.delete()
        response: Any = mail_client.post(link, ONE_CLICK)
        assert response.status_code == 400

    def test_a_category_that_became_essential_cannot_be_unsubscribed(
        self, mail_client: Client, link: str, ann: Any, settings: Any
    ) -> None:
        settings.MONITIO_CATEGORIES = {"exports": {"essential": True}}
        response: Any = mail_client.post(link, ONE_CLICK)
        assert response.status_code == 403
        assert "essential" in body(response)

    def test_clicks_on_one_link_are_rate_limited(
        self, mail_client: Client, link: str, ann: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preference_views, "CLICKS", 2)
        answers: list[Any] = [mail_client.post(link, ONE_CLICK) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert mail_client.post(self.path(ann, ""), ONE_CLICK).status_code == 200

    def test_guessing_links_is_rate_limited_and_valid_ones_still_work(
        self, mail_client: Client, link: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preference_views, "GUESSES", 2)
        answers: list[Any] = [mail_client.post(f"{link[:-1]}{n}/") for n in range(3)]
        assert [answer.status_code for answer in answers] == [400, 400, 429]
        assert mail_client.post(link, ONE_CLICK).status_code == 200

    @pytest.mark.parametrize(
        ("first", "second", "status"),
        [
            ("203.0.113.7", "203.0.113.8", 400),
            ("203.0.113.7", "203.0.113.7", 429),
            ("2001:db8::1", "2001:db8:0:1::1", 400),
            ("2001:db8::1", "2001:db8::ffff:2", 429),
        ],
    )
    def test_bad_links_are_counted_by_the_clients_address_behind_a_proxy(
        self,
        mail_client: Client,
        link: str,
        monkeypatch: pytest.MonkeyPatch,
        settings: Any,
        first: str,
        second: str,
        status: int,
    ) -> None:
        settings.MONITIO_CLIENT_ADDRESS = "HTTP_X_REAL_IP"
        monkeypatch.setattr(preference_views, "GUESSES", 1)
        mail_client.post(f"{link[:-1]}x/", headers={"X-Real-IP": first})
        answer: Any = mail_client.post(f"{link[:-1]}y/", headers={"X-Real-IP": second})
        assert answer.status_code == status

    def test_on_an_intranet_each_address_has_its_own_count(
        self, mail_client: Client, link: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preference_views, "GUESSES", 1)
        answers: list[Any] = [
            mail_client.post(f"{link[:-1]}x/", REMOTE_ADDR=f"10.0.0.{n}") for n in (1, 2, 1)
        ]
        assert [answer.status_code for answer in answers] == [400, 400, 429]


class TestDestinations:
    @pytest.fixture(autouse=True)
    def _pager(self, settings: Any) -> None:
        settings.MONITIO_CHANNELS = {
            "email": "monitio.channels.email.channel.EmailChannel",
            "pager": "tests.unit.channels.test_destinations.Pager",
        }

    @pytest.fixture
    def page(self, ann: Any, client: Client) -> Client:
        client.force_login(ann)
        return client

    def act(self, page: Client, what: str, row: Any) -> str:
        """The text of the page after a click."""
        url = reverse("message_preferences")
        return body(page.post(url, {"destination": row.pk, "act": what}, follow=True))

    def test_they_are_listed_with_the_reason_why_one_is_off(self, ann: Any, page: Client) -> None:
        row = destinations.add(ann, "pager", {"secret": "hunter2"}, label="My <pager>")
        Destination.objects.update(disabled_at=timezone.now(), reason="410 Gone")
        text = body(page.get(reverse("message_preferences")))
        assert "My &lt;pager&gt;" in text and "410 Gone" in text and "hunter2" not in text
        assert f'id="on-{row.pk}"' in text and f'id="test-{row.pk}"' not in text

    def test_nothing_is_listed_without_any(self, page: Client) -> None:
        assert "Devices" not in body(page.get(reverse("message_preferences")))

    def test_one_is_turned_off_and_on(self, ann: Any, page: Client) -> None:
        row = destinations.add(ann, "pager", {})
        assert "Turned off" in self.act(page, "off", row)
        assert "Turned off" not in self.act(page, "on", row)

    def test_one_is_removed(self, ann: Any, page: Client) -> None:
        row = destinations.add(ann, "pager", {})
        assert "Saved." in self.act(page, "remove", row)
        assert not Destination.objects.exists()

    @pytest.mark.parametrize("what", ["off", "on", "remove", "test"])
    def test_destinations_of_others_are_not_changed(
        self, bob: Any, page: Client, what: str
    ) -> None:
        row = destinations.add(bob, "pager", {})
        self.act(page, what, row)
        row.refresh_from_db()
        assert row.disabled_at is None
        assert not Delivery.objects.exists()

    @pytest.mark.parametrize("number", ["", "x", "-1", "9" * 30, "²"])
    def test_bad_numbers_change_nothing(self, page: Client, number: str) -> None:
        answer = page.post(reverse("message_preferences"), {"destination": number, "act": "off"})
        assert answer.status_code == 302

    @pytest.mark.django_db(transaction=True)
    def test_a_test_is_sent_to_one_and_leaves_nothing_in_the_inbox(
        self, ann: Any, page: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch.hooks, "deliver", None)
        monkeypatch.setattr(Pager, "sent", [])
        destinations.add(ann, "pager", {"n": 1})
        row = destinations.add(ann, "pager", {"n": 2})
        assert "A test is on its way." in self.act(page, "test", row)
        assert Pager.sent == [{"n": 2}]
        assert not Message.objects.exists()

    def test_tests_are_limited(
        self, ann: Any, page: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(preference_views, "TESTS", 1)
        row = destinations.add(ann, "pager", {})
        self.act(page, "test", row)
        assert "Too many attempts" in self.act(page, "test", row)

    def test_in_quiet_hours_the_page_shows_when_a_test_is_sent(
        self, ann: Any, page: Client
    ) -> None:
        preferences.change(ann, quiet_from=time(0), quiet_to=time(23, 59, 59), time_zone="UTC")
        row = destinations.add(ann, "pager", {})
        assert "when your quiet hours end" in self.act(page, "test", row)


class TestThrottle:
    def test_it_counts(self) -> None:
        assert [ratelimit.is_allowed("a", 2, 60) for _ in range(3)] == [True, True, False]
        assert ratelimit.is_allowed("b", 2, 60)

    def test_a_cache_that_is_down_or_a_dummy_allows_everything(self, settings: Any) -> None:
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
        assert ratelimit.is_allowed("a", 0, 60)
        settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
        assert ratelimit.is_allowed("a", 0, 60)


from django.core.cache.backends.base import BaseCache


class BrokenCache(BaseCache):
    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        raise ConnectionError("down")
