"""A process of the site: writes, sends e-mails, runs tasks and commands for any tenant."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import Any

from tests.support.peers import serve, set_up

set_up()

from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import AsyncClient, Client
from django.utils import timezone
from django_tenants.utils import schema_context

import monitio
from monitio import api, preferences, scope
from monitio.models import Delivery, Job, Message, Preferences
from monitio.recipients import Recipient, page_token
from monitio_celery import notify, notify_user, progress, tasks
from tests.integration.tenants.models import Domain, Tenant
from tests.support import people
from tests.support.waiting import wait_until

clients: dict[str, Client] = {}
app = Celery("tenants", broker="memory://", set_as_current=True)
app.set_default()


@app.task
@notify_user(email=True)
def work(fails: bool = False) -> str:
    progress(1, 2)
    if fails:
        raise ValueError
    return connection.schema_name


def create(*schemas: str) -> None:
    call_command("migrate_schemas", shared=True, run_syncdb=True, verbosity=0)
    for schema in schemas:
        tenant = Tenant(schema_name=schema)
        tenant.save(verbosity=0)
        name = f"{schema.lower()}.test"
        Domain.objects.create(tenant=tenant, domain=name, is_primary=True)


def sign_in(schema: str, name: str, **fields: Any) -> dict[str, Any]:
    """A new browser of this user at the tenant's host."""
    with schema_context(schema):
        user = people.user(name)
        client = Client(headers={"host": f"{schema.lower()}.test"})
        client.force_login(user)
        page = page_token(Recipient.for_user(user))
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    clients[cookie] = client
    return {"cookie": cookie, "page": page, "user": user.pk}


def promote(schema: str, name: str) -> None:
    with schema_context(schema):
        type(people.user(name)).objects.update(is_staff=True, is_superuser=True)


def get(cookie: str, path: str) -> list[Any]:
    answer = clients[cookie].get(path)
    return [answer.status_code, answer.content.decode()]


def post(cookie: str, path: str, data: dict[str, Any]) -> list[Any]:
    answer = clients[cookie].post(path, data)
    return [answer.status_code, answer.content.decode()]


def write(schema: str, user: int, text: str, email: bool = False) -> int:
    with schema_context(schema):
        return api.create_message(user, monitio.INFO, text, email=email).pk


def write_silently(schema: str, user: int, text: str) -> int:
    """Write without an event, as when events are lost."""
    with schema_context(schema):
        return Message.objects.create(user_id=user, level=monitio.INFO, message=text).pk


def delete(schema: str, user: int, pk: int) -> int:
    with schema_context(schema):
        return api.delete(user, [pk])


def texts(schema: str, user: int) -> list[str]:
    with schema_context(schema):
        return [message.message for message in api.inbox(user)]


def switch_to_digests(schema: str, user: int) -> None:
    """Switch this user to digests, and make one due."""
    with schema_context(schema):
        preferences.change(user, frequency="daily")


def make_due(schema: str) -> None:
    with schema_context(schema):
        Preferences.objects.update(next_digest_at=timezone.now())
        Delivery.objects.update(due_at=timezone.now())


def frequency(schema: str, user: int) -> str:
    with schema_context(schema):
        return str(preferences.for_user(user).frequency)


def command(*args: str) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def mails() -> list[dict[str, str]]:
    """Send what is due; returns all e-mails since the last call."""
    call_command("monitio_deliver", stdout=io.StringIO())
    sent, mail.outbox = getattr(mail, "outbox", []), []
    return [{"body": letter.body, "id": letter.extra_headers["Message-ID"]} for letter in sent]


def start_in_async_view(cookie: str, schema: str) -> dict[str, Any]:
    with schema_context("public"):
        tenant = Tenant.objects.get(schema_name=schema)
        # The only host of Django's asynchronous test client.
        Domain.objects.create(tenant=tenant, domain="testserver", is_primary=False)
    client = AsyncClient()
    client.cookies = clients[cookie].cookies
    with _worker():
        task_id = asyncio.run(client.get("/start/")).content.decode()
        return wait_until(lambda: _ended(schema, task_id), 60)


def _worker() -> Any:
    return start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=60)


def run_tasks(user: int, *orders: tuple[str, bool]) -> list[dict[str, Any]]:
    """Start tasks of this user in these schemas; returns their jobs after a worker has run them."""
    with _worker():
        started = []
        for schema, fails in orders:
            with schema_context(schema), notify(user):
                started.append((schema, work.delay(fails).id))
        return [wait_until(lambda: _ended(*one), 60) for one in started]  # noqa: B023


def _ended(schema: str, task_id: str) -> dict[str, Any] | None:
    with schema_context(schema):
        job = Job.objects.filter(task_id=task_id, finished_at__isnull=False).first()
        sent = Delivery.objects.filter(message__job=job, state="sent").exists()
        if job is None or not sent:
            return None
        keys = list(Message.objects.filter(job=job).values_list("recipient_key", flat=True))
        return {"state": job.state, "keys": keys}


def schema_of_now() -> str:
    return str(connection.schema_name)


def scopes() -> list[str]:
    return scope.all()


if __name__ == "__main__":
    functions = (
        command, create, delete, frequency, get, mails, make_due, post, promote, run_tasks,
        schema_of_now, scopes, sign_in, start_in_async_view, switch_to_digests, texts, write,
        write_silently,
    )  # fmt: skip
    assert tasks.deliver
    # The view imports this module by its name and must get the running one.
    sys.modules["tests.integration.tenants.process"] = sys.modules["__main__"]
    serve({function.__name__: function for function in functions})
