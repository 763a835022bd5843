"""``manage.py monitio_import_legacy`` on tables of the packages that it imports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone
from django.utils.safestring import SafeString

from monitio import constants
from monitio.models import Message

pytestmark = pytest.mark.django_db

# The table that Django 1.5 created on SQLite.
MONIT = """
CREATE TABLE monitio_monit (
    id integer NOT NULL PRIMARY KEY AUTOINCREMENT, user_id integer, from_user_id integer,
    subject varchar(255) NOT NULL, message text NOT NULL, level integer NOT NULL,
    extra_tags varchar(128) NOT NULL, created datetime NOT NULL, modified datetime NOT NULL,
    read bool NOT NULL, expires datetime, close_timeout integer, url varchar(1024))
"""
AUDIENCES = [
    """
    CREATE TABLE persistent_messages_persistentmessage (
        id integer NOT NULL PRIMARY KEY AUTOINCREMENT, content text NOT NULL,
        mark_content_safe bool NOT NULL, level integer NOT NULL, target varchar(50) NOT NULL,
        display_from datetime NOT NULL, display_until datetime, is_dismissable bool NOT NULL,
        custom_tags varchar(100) NOT NULL, created_at datetime NOT NULL,
        updated_at datetime NOT NULL, target_custom_group varchar(255) NOT NULL)
    """,
    """
    CREATE TABLE persistent_messages_persistentmessage_target_users (
        id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
        persistentmessage_id bigint NOT NULL, user_id integer NOT NULL)
    """,
    """
    CREATE TABLE persistent_messages_persistentmessage_target_groups (
        id integer NOT NULL PRIMARY KEY AUTOINCREMENT,
        persistentmessage_id bigint NOT NULL, group_id integer NOT NULL)
    """,
    """
    CREATE TABLE persistent_messages_messagedismissal (
        id integer NOT NULL PRIMARY KEY AUTOINCREMENT, dismissed_at datetime NOT NULL,
        message_id bigint NOT NULL, user_id integer NOT NULL)
    """,
]
CREATED = datetime(2014, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
def ann() -> Any:
    return get_user_model()._default_manager.create(username="ann")


@pytest.fixture
def old_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute(MONIT)


def add(table: str = "monitio_monit", **values: Any) -> int:
    columns = {name: _stored(value) for name, value in values.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) "
            f"VALUES ({', '.join(['%s'] * len(columns))})",
            list(columns.values()),
        )
        return int(cursor.lastrowid)


def _stored(value: Any) -> Any:
    is_moment = isinstance(value, datetime)
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if is_moment else value


def monit(user: Any, **values: Any) -> int:
    row = {
        "user_id": user and user.pk,
        "subject": "",
        "message": "text",
        "level": constants.INFO,
        "extra_tags": "",
        "created": CREATED,
        "modified": CREATED,
        "read": 0,
    }
    return add(**{**row, **values})


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("monitio_import_legacy", *arguments, stdout=output)
    return output.getvalue()


@pytest.mark.usefixtures("old_table")
class TestDjangoMonitio:
    def test_a_message_keeps_its_texts_and_whether_it_was_read(self, ann: Any) -> None:
        bob = get_user_model()._default_manager.create(username="bob")
        expires = timezone.now() + timedelta(days=3)
        monit(
            ann,
            from_user_id=bob.pk,
            subject="Hello",
            message="a <b>text</b>",
            level=constants.WARNING,
            extra_tags="big red",
            read=1,
            expires=expires,
            close_timeout=7,
            url="/reports/1/",
        )
        assert "1 imported" in run()
        message = Message.objects.get()
        assert (message.user, message.from_user, message.level) == (ann, bob, constants.WARNING)
        assert (message.subject, message.message) == ("Hello", "a <b>text</b>")
        assert (message.extra_tags, message.url) == ("big red", "/reports/1/")
        assert (message.created, message.expires, message.close_timeout) == (CREATED, expires, 7)
        assert message.read
        assert message in Message.objects.of(message.recipient)

    def test_imported_messages_do_not_pop_up(self, ann: Any) -> None:
        monit(ann)
        run()
        assert Message.objects.get().seen
        assert not Message.objects.get().read

    def test_html_stays_text_unless_its_authors_are_trusted(self, ann: Any) -> None:
        monit(ann, message="<b>bold</b>")
        run()
        assert not isinstance(Message.objects.get().message, SafeString)
        Message.objects.all().delete()
        run("--safe")
        assert isinstance(Message.objects.get().message, SafeString)

    @pytest.mark.parametrize(
        ("values", "finding"),
        [
            ({"user_id": None}, "without a user"),
            ({"user_id": 12345}, "without a user"),
            ({"level": 20}, "Django's own levels"),
            ({"expires": CREATED}, "expired"),
            ({"message": ""}, "without a text"),
        ],
        ids=["nobody", "deleted", "ordinary", "expired", "empty"],
    )
    def test_a_row_that_cannot_be_kept_is_reported(
        self, ann: Any, values: dict[str, Any], finding: str
    ) -> None:
        pk = monit(ann, **values)
        output = run()
        assert finding in output
        assert f"(ids: {pk})" in output
        assert not Message.objects.exists()

    @pytest.mark.parametrize(
        ("url", "kept"),
        [
            ("javascript:alert(1)", ""),
            ("java\nscript:alert(1)", ""),
            ("reports/1/", "/reports/1/"),
            ("https://example.com/x", "https://example.com/x"),
            ("https://example.com/" + "x" * 2100, ""),
            (None, ""),
        ],
        ids=["script", "hidden", "relative", "absolute", "long", "none"],
    )
    def test_a_link_is_checked(self, ann: Any, url: str | None, kept: str) -> None:
        monit(ann, url=url)
        output = run()
        assert Message.objects.get().url == kept
        assert ("without their link" in output) == bool(url and not kept)

    def test_odd_values_are_cleaned(self, ann: Any) -> None:
        monit(ann, close_timeout=-1, extra_tags="x" * 300, subject="s" * 255, message="a\u202eb")
        assert "cut to 255" in run()
        message = Message.objects.get()
        assert message.close_timeout is None
        assert len(message.extra_tags) == 255
        assert message.message == "a\ufffdb"

    def test_columns_that_a_fork_left_empty(self, ann: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE monitio_monit")
            cursor.execute(
                MONIT.replace(" NOT NULL,", ",").replace("varchar(128) NOT", "varchar(128)")
            )
        monit(ann, message=None, subject="Only a subject", extra_tags=None, read=None)
        assert "1 imported" in run()
        message = Message.objects.get()
        assert (message.subject, message.message, message.read) == ("Only a subject", "", False)

    def test_a_second_run_copies_nothing_twice(self, ann: Any) -> None:
        monit(ann)
        monit(ann)
        monit(ann, message="another")
        assert "3 imported" in run()
        assert "3 already there" in run()
        assert Message.objects.count() == 3

    def test_only_later_rows_are_copied_on_request(self, ann: Any) -> None:
        last = monit(ann)
        assert f"The last id was {last}." in run()
        Message.objects.all().delete()
        monit(ann, message="later")
        assert "1 imported" in run("--after", str(last))
        assert Message.objects.get().message == "later"

    def test_a_dry_run_writes_nothing(self, ann: Any) -> None:
        monit(ann)
        output = run("--dry-run")
        assert "1 imported" in output
        assert "Nothing was written." in output
        assert not Message.objects.exists()

    def test_batches_cover_every_row(self, ann: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("monitio.management.legacy.BATCH", 2)
        for number in range(5):
            monit(ann, message=f"text {number}")
        assert "5 imported" in run()
        assert Message.objects.count() == 5


def test_a_missing_table_is_reported_with_the_fix() -> None:
    with pytest.raises(CommandError, match=r"no table 'monitio_monit'.*--table"):
        run()


def test_a_table_of_another_kind_is_refused() -> None:
    with pytest.raises(CommandError, match="columns of no package"):
        run("--table", "auth_user")


class TestAudiences:
    @pytest.fixture(autouse=True)
    def tables(self) -> None:
        with connection.cursor() as cursor:
            for statement in AUDIENCES:
                cursor.execute(statement)

    def add(self, users: list[Any], **values: Any) -> int:
        row = {
            "content": "text",
            "mark_content_safe": 0,
            "level": 30,
            "target": "USERS_OR_GROUPS",
            "display_from": CREATED,
            "is_dismissable": 1,
            "custom_tags": "big",
            "created_at": CREATED,
            "updated_at": CREATED,
            "target_custom_group": "",
        }
        table = "persistent_messages_persistentmessage"
        pk = add(table, **{**row, **values})
        for user in users:
            add(f"{table}_target_users", persistentmessage_id=pk, user_id=user.pk)
        return pk

    def run(self) -> str:
        return run("--table", "persistent_messages_persistentmessage")

    def test_each_named_user_gets_their_own_message(self, ann: Any) -> None:
        bob = get_user_model()._default_manager.create(username="bob")
        pk = self.add([ann, bob])
        add(
            "persistent_messages_messagedismissal",
            message_id=pk,
            user_id=bob.pk,
            dismissed_at=CREATED,
        )
        assert "2 imported" in self.run()
        read = dict(Message.objects.values_list("user__username", "read"))
        assert read == {"ann": False, "bob": True}
        assert set(Message.objects.values_list("level", flat=True)) == {constants.WARNING}

    @pytest.mark.parametrize("target", ["ALL_USERS", "AUTHENTICATED_USERS", "ANONYMOUS_USERS"])
    def test_an_audience_is_reported(self, target: str) -> None:
        pk = self.add([], target=target)
        output = self.run()
        assert "notify_many()" in output
        assert f"(ids: {pk})" in output

    def test_a_group_is_reported(self, ann: Any) -> None:
        pk = self.add([ann])
        table = "persistent_messages_persistentmessage_target_groups"
        add(table, persistentmessage_id=pk, group_id=1)
        output = self.run()
        assert "1 imported" in output
        assert "for an audience" in output

    def test_a_message_of_the_future_is_reported(self, ann: Any) -> None:
        self.add([ann], display_from=timezone.now() + timedelta(days=1))
        assert "not to be shown yet" in self.run()
        assert not Message.objects.exists()
