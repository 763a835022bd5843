"""Downloads of a job's files, for its recipients only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.files.base import ContentFile
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from monitio import links
from monitio.channels.email.channel import build
from monitio.jobs.files import store_file
from monitio.models import JobFile, Message
from monitio.views.files import CHUNK
from tests.support.jobs import reporter
from tests.support.people import user, visitor_of

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = b"0123456789" * 100_000


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> JobFile:
    """A file of ann's job."""
    backend = "django.core.files.storage.FileSystemStorage"
    options = {"location": str(tmp_path), "base_url": "https://files.example/"}
    settings.STORAGES = {**settings.STORAGES, "monitio": {"BACKEND": backend, "OPTIONS": options}}
    mine = reporter(user())
    mine.started()
    stored = store_file(mine.task_id, ContentFile(CONTENT), "Jahres-\u202eübersicht „1“.pdf")
    assert stored is not None
    return stored


def url(file: JobFile) -> str:
    return reverse("message_file", args=[Message.objects.get(job=file.job).pk, file.pk])


def test_a_recipient_downloads_it(browser: Client, file: JobFile) -> None:
    response = browser.get(url(file))
    assert b"".join(response.streaming_content) == CONTENT
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Length"] == str(len(CONTENT))
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"].startswith("private")
    name = "Jahres-%EF%BF%BD%C3%BCbersicht%20%E2%80%9E1%E2%80%9C.pdf"
    assert response["Content-Disposition"] == f"attachment; filename*=utf-8''{name}"


def test_under_asgi_it_is_read_in_chunks(file: JobFile) -> None:
    async def download() -> list[bytes]:
        browser = AsyncClient()
        await browser.aforce_login(await sync_to_async(user)())
        response = await browser.get(await sync_to_async(url)(file))
        assert response.is_async
        return [chunk async for chunk in response.streaming_content]

    chunks = async_to_sync(download)()
    assert b"".join(chunks) == CONTENT
    assert len(chunks) == 1 + len(CONTENT) // CHUNK


@pytest.mark.parametrize("who", ["bob", "admin", "a visitor"])
def test_for_others_it_does_not_exist(file: JobFile, client: Client, who: str) -> None:
    if who == "a visitor":
        visitor_of(client)
    else:
        client.force_login(user(who, is_superuser=who == "admin"))
    assert client.get(url(file)).status_code == 404


def test_the_file_of_another_job_does_not_exist(browser: Client, file: JobFile) -> None:
    other = reporter(user(), task="task-2")
    other.started()
    message = Message.objects.exclude(job=file.job).get()
    assert browser.get(reverse("message_file", args=[message.pk, file.pk])).status_code == 404


def test_an_expired_one_is_no_longer_available(browser: Client, file: JobFile) -> None:
    JobFile.objects.update(expires=timezone.now() - timedelta(seconds=1))
    response = browser.get(url(file))
    assert response.status_code == 410
    assert "no longer available" in response.text


def test_nginx_sends_it(browser: Client, file: JobFile, settings: Any) -> None:
    settings.MONITIO_FILES_X_ACCEL = "/private/"
    response = browser.get(url(file))
    assert response["X-Accel-Redirect"] == f"/private/{file.file}"
    assert response.content == b""
    assert response["Content-Disposition"].startswith("attachment")


def test_a_storage_with_signed_urls_sends_it(browser: Client, file: JobFile, settings: Any) -> None:
    settings.MONITIO_FILES_REDIRECT = True
    response = browser.get(url(file))
    assert response.status_code == 302
    assert response["Location"] == f"https://files.example/{file.file}"


def test_a_file_that_the_storage_lost_does_not_exist(
    browser: Client, file: JobFile, tmp_path: Path
) -> None:
    (tmp_path / file.file).unlink()
    assert browser.get(url(file)).status_code == 404


@pytest.mark.parametrize("page", ["message_list", "message_detail"])
def test_pages_link_to_it(browser: Client, file: JobFile, page: str) -> None:
    reporter(user()).succeeded(1)
    args = [Message.objects.get().pk] if page == "message_detail" else []
    # Without the output of {% monitio %} below it, which links to every file.
    text = browser.get(reverse(page, args=args)).text.partition("<monitio-messages")[0]
    assert f'href="{url(file)}"' in text
    # Rows of the list do not show the size.
    assert ("(976.6\xa0KB)" in text) == (page == "message_detail")


def test_a_visitor_downloads_theirs(client: Client, file: JobFile) -> None:
    mine = reporter(visitor_of(client), task="task-2")
    mine.started()
    stored = store_file("task-2", ContentFile(b"abc"), "mine.txt")
    assert stored is not None
    assert client.head(url(stored)).status_code == 200


class TestEmail:
    @pytest.fixture
    def message(self, file: JobFile) -> Message:
        return Message.objects.select_related("job").get()

    def test_links_to_the_view(self, file: JobFile, message: Message) -> None:
        mail = build(message)
        assert f"https://example.com{url(file)}" in mail.body
        html, _ = mail.alternatives[0]
        assert f"https://example.com{url(file)}" in html

    def test_a_signed_link_works_without_a_log_in(
        self, file: JobFile, message: Message, client: Client, settings: Any
    ) -> None:
        settings.MONITIO_FILES_SIGNED_LINKS = True
        link = links.file_page(message.pk, file.pk)
        assert link in build(message).body
        path = link.removeprefix("https://example.com")
        assert client.head(path).status_code == 200
        assert client.get(path.replace(":", "x:", 1)).status_code == 404
        JobFile.objects.update(expires=timezone.now() - timedelta(seconds=1))
        assert client.get(path).status_code == 410
        settings.MONITIO_FILES_SIGNED_LINKS = False
        assert client.get(path).status_code == 404

    def test_a_signed_link_ends_with_its_message(
        self, file: JobFile, message: Message, client: Client, settings: Any
    ) -> None:
        settings.MONITIO_FILES_SIGNED_LINKS = True
        path = links.file_page(message.pk, file.pk).removeprefix("https://example.com")
        Message.objects.update(expires=timezone.now() - timedelta(seconds=1))
        assert client.get(path).status_code == 404
