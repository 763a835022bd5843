"""Messages are deleted without loading them, unless the site has signal handlers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import monitio
from monitio import api
from monitio.messages import deletion, prune
from monitio.models import Delivery, Message
from tests.support.people import user

pytestmark = pytest.mark.django_db

OLD = timezone.now() - timedelta(days=8)


def messages_of(name: str, count: int = 1, **more: Any) -> list[Message]:
    return [api.create_message(user(name), monitio.INFO, "text", **more) for _ in range(count)]


def deleted_queries(messages: list[Message], queries: Any) -> list[str]:
    with queries as captured:
        deletion.delete_or_hide(
            Message.objects.filter(pk__in=[message.pk for message in messages]), len(messages)
        )
    return [query["sql"].split()[0] for query in captured]


def test_one_statement_deletes_those_without_an_e_mail(
    django_assert_max_num_queries: Any,
) -> None:
    found = deleted_queries(messages_of("ann", 3), django_assert_max_num_queries(1))
    assert found == ["DELETE"]
    assert not Message.objects.exists()


def delete(pks: list[int]) -> None:
    deletion.delete_or_hide(Message.objects.filter(pk__in=pks), len(pks))


def delete_after_a_page(pks: list[int]) -> None:
    Message.objects.filter(pk__in=pks[1:]).update(claim="a page's")
    deletion.delete_shown(pks, "a page's")


DELETING = pytest.mark.parametrize("delete", [delete, delete_after_a_page])


@DELETING
def test_one_with_an_e_mail_to_send_is_hidden_and_the_others_go(
    delete: Callable[[list[int]], None],
) -> None:
    (waiting,) = messages_of("ann", email=True)
    (sent,) = messages_of("ann", email=True)
    Delivery.objects.filter(message=sent).update(state="sent")
    others = messages_of("ann", 2)
    delete([waiting.pk, sent.pk, *(other.pk for other in others)])
    assert list(Message.objects.values_list("pk", "hidden")) == [(waiting.pk, True)]
    assert Delivery.objects.get().message_id == waiting.pk


def test_messages_claimed_by_another_page_are_not_deleted() -> None:
    mine, others = messages_of("ann", 2)
    Message.objects.filter(pk=others.pk).update(claim="another page's")
    deletion.delete_shown([mine.pk, others.pk], "")
    assert Message.objects.get() == others


@DELETING
def test_signal_handlers_of_the_site_see_every_message(
    delete: Callable[[list[int]], None], settings: Any
) -> None:
    settings.MONITIO_KEEP_READ_DAYS = 7
    shown, pruned = messages_of("ann", 2)
    Message.objects.filter(pk=pruned.pk).update(read=True, modified=OLD)
    seen = []

    def receive(instance: Message, **kwargs: Any) -> None:
        seen.append(instance.pk)

    shown_pk, pruned_pk = shown.pk, pruned.pk
    post_delete.connect(receive, sender=Message)
    try:
        delete([shown_pk])
        assert api.prune()["read"] == 1
    finally:
        post_delete.disconnect(receive, sender=Message)
    assert seen == [shown_pk, pruned_pk]


def test_prune_deletes_deliveries_by_no_statement_that_reads_them() -> None:
    """MySQL refuses a DELETE that reads its own table."""
    messages_of("ann", email=True)
    Delivery.objects.update(state="sent")
    Message.objects.update(hidden=True)
    with CaptureQueriesContext(connection) as queries:
        assert api.prune()["shown"] == 1
    table = f"FROM {connection.ops.quote_name(Delivery._meta.db_table)}"
    statements = [sql["sql"] for sql in queries if sql["sql"].startswith(f"DELETE {table}")]
    assert statements
    assert all(statement.count(table) == 1 for statement in statements)


@pytest.mark.parametrize("window", [1, 2, 3, 100])
def test_prune_deletes_in_batches_and_misses_nothing(
    window: int, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MONITIO_KEEP_READ_DAYS = 7
    monkeypatch.setattr(prune, "WINDOW", window)
    rows = messages_of("ann", 5, email=True)
    Message.objects.exclude(pk=rows[2].pk).update(read=True, modified=OLD)
    assert api.prune()["read"] == 4
    assert Message.objects.get() == rows[2]
    assert Delivery.objects.get().message_id == rows[2].pk
