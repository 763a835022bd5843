"""Another process of the same site: logs users in and out, writes messages, changes accounts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Event
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.files import File
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitio import INFO, api
from monitio.jobs.files import store_file
from monitio.jobs.reporter import JobReporter
from monitio.models import Job, JobFile, Message
from monitio.recipients import Recipient, page_token
from tests.support import people

clients: dict[str, Client] = {}


def sign_in(name: str) -> dict[str, str]:
    """The cookie and the page's token of a user in a new browser."""
    client = Client()
    user = people.user(name)
    client.force_login(user)
    return _browser(client, Recipient.for_user(user))


def visit() -> dict[str, str]:
    """The cookie and the page's token of an anonymous visitor in a new browser."""
    client = Client()
    return _browser(client, people.visitor_of(client))


def _browser(client: Client, recipient: Recipient) -> dict[str, str]:
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    clients[cookie] = client
    return {"cookie": cookie, "page": page_token(recipient), "key": recipient.key}


def write(key: str, text: str) -> int:
    """Write to ``user:1`` or ``visitor:…``."""
    return int(api.create_message(Recipient.from_key(key), INFO, text).pk)


def write_many(key: str, count: int, seconds: float) -> list[str]:
    """Write ``count`` messages, spread over ``seconds``; their texts."""
    texts = [f"one of many: {number}" for number in range(count)]
    for text in texts:
        write(key, text)
        time.sleep(seconds / count)
    return texts


def write_and_time(key: str, text: str) -> float:
    """Write; returns the start by time.monotonic(), which all processes share."""
    begin = time.monotonic()
    write(key, text)
    return begin


def log_out(cookie: str) -> None:
    """Log out by the view, as a browser does."""
    assert clients[cookie].post("/logout/").status_code == 302


def log_in(cookie: str, name: str) -> None:
    """Log in by the view."""
    people.user(name)
    answer = clients[cookie].post("/login/", {"username": name, "password": "secret"})
    assert answer.status_code == 302


def switch_user(cookie: str, name: str) -> str:
    """Log in as another user in the same browser, by the view; the new cookie."""
    client = clients[cookie]
    log_in(cookie, name)
    new = f"sessionid={client.cookies['sessionid'].value}"
    clients[new] = client
    return new


def change_account(name: str, action: str) -> None:
    users = get_user_model()._default_manager
    user: Any = users.get(username=name)
    if action == "new password":
        user.set_password("other")
        user.save()
    elif action == "deactivated":
        user.is_active = False
        user.save()
    elif action == "deactivated in bulk":
        users.filter(pk=user.pk).update(is_active=False)
    elif action == "deleted":
        user.delete()
    else:
        raise ValueError(action)


def end_sessions(action: str) -> None:
    """End all sessions without an event, as expiry or deleted rows do."""
    if action == "flushed":
        Session.objects.all().delete()
    else:
        Session.objects.update(expire_date=timezone.now())


def connections_of(application: str) -> int:
    """The number of the server process's connections to PostgreSQL."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [application]
        )
        return int(cursor.fetchone()[0])


def attach(key: str, file: str, size: int) -> str:
    """Create a job with this file of the storage; the path of its download."""
    reporter = JobReporter("1", name="shop.report", recipients=[Recipient.from_key(key)])
    reporter.started()
    job = Job.objects.get()
    expires = timezone.now() + timedelta(days=1)
    row = JobFile.objects.create(job=job, name=file, file=file, size=size, expires=expires)
    job.files = [{"id": row.pk, "name": file, "size": size, "expires": expires.timestamp()}]
    job.save()
    return reverse("message_file", args=[Message.objects.get().pk, row.pk])


class Endless(File):
    """A file whose reading never ends."""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"half of it"
        Event().wait()


def attach_half(key: str) -> None:
    """Store a file that never ends; does not return."""
    JobReporter("2", recipients=[Recipient.from_key(key)]).started()
    store_file("2", Endless(None, "half.bin"), "half.bin")


def prune(days: float) -> int:
    """Prune as after ``days`` days; the number of deleted files."""
    return api.prune(timezone.now() + timedelta(days=days))["files"]


FUNCTIONS = {
    "attach": attach,
    "attach_half": attach_half,
    "prune": prune,
    "sign_in": sign_in,
    "visit": visit,
    "write": write,
    "write_many": write_many,
    "write_and_time": write_and_time,
    "log_out": log_out,
    "log_in": log_in,
    "switch_user": switch_user,
    "change_account": change_account,
    "end_sessions": end_sessions,
    "connections_of": connections_of,
}

if __name__ == "__main__":
    serve(FUNCTIONS)
