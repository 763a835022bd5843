from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import constants as django_levels
from django.contrib.messages.storage.base import Message as DjangoMessage
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.template import Context, Template
from django.utils.safestring import SafeData, mark_safe

import monitio
from monitio import constants
from monitio.constants import level_name
from monitio.models import Delivery, Job, Message, check_url, plain_text
from monitio.recipients import Recipient
from tests.support.people import user


def make_message(who: Any, message: Any = "one", **fields: Any) -> Message:
    return Message.objects.create(**{"user": who, "level": 120, "message": message, **fields})


def test_the_migrations_match_the_models(db: None) -> None:
    call_command("makemigrations", "monitio", check=True, dry_run=True, verbosity=0)


def test_the_legacy_fields_exist() -> None:
    names = {field.name for field in Message._meta.get_fields()}
    original = (
        "user from_user subject message level extra_tags created modified read expires "
        "close_timeout url"
    )
    assert names >= set(original.split())


# Recipients.


@pytest.mark.parametrize(
    "wrong", [{"user_id": None, "session": ""}, {"session": "a" * 32}], ids=["nobody", "both"]
)
def test_the_database_refuses_a_message_without_one_recipient(
    ann: Any, wrong: dict[str, Any]
) -> None:
    message = Message(**{"user": ann, "level": 120, "message": "one", **wrong})
    message.recipient_key = "x"
    with pytest.raises(IntegrityError), transaction.atomic():
        super(Message, message).save()


def test_the_key_follows_the_owner(ann: Any) -> None:
    message = make_message(ann)
    message.recipient = Recipient.for_visitor("b" * 32, "pl")
    message.save()
    message.refresh_from_db()
    assert (message.user, message.recipient_key) == (None, "visitor:" + "b" * 32)
    assert message.recipient == Recipient.for_visitor("b" * 32)
    assert message.recipient.language == "pl"
    message.session, message.user = "", ann
    message.save(update_fields=["user"])
    message.refresh_from_db()
    assert message.recipient_key == f"user:{ann.pk}"


def test_deleting_a_user_deletes_the_messages_without_deferrable_constraints(
    ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulates MySQL, where Django's CASCADE would first set the messages' user to NULL."""
    monkeypatch.setattr(type(connection.features), "can_defer_constraint_checks", False)
    make_message(ann), make_message(user("bob"), from_user=ann)
    ann.delete()
    assert Message.objects.get().from_user is None


def test_one_job_has_one_message_for_each_recipient(ann: Any) -> None:
    job = Job.objects.create(task_id="task")
    make_message(ann, job=job)
    make_message(user("bob"), job=job)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_message(ann, job=job)


def test_one_message_has_one_delivery_for_each_channel(ann: Any) -> None:
    message = make_message(ann)
    Delivery.objects.create(message=message, channel="email")
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(message=message, channel="email")


# Texts, tags and levels.


def test_tags_are_extra_tags_and_the_levels() -> None:
    assert Message(level=monitio.ERROR, extra_tags="a b").tags == "a b error"
    assert Message(level=django_levels.INFO).tags == "info"
    assert Message(level=33).tags == ""


def test_a_persistent_level_has_the_sites_tag_of_the_django_level(settings: Any) -> None:
    settings.MESSAGE_TAGS = {django_levels.ERROR: "danger", monitio.INFO: "note"}
    assert Message(level=monitio.ERROR).level_tag == "danger"
    assert Message(level=monitio.INFO).level_tag == "note"
    assert Message(level=django_levels.INFO).level_tag == "info"


@pytest.mark.parametrize(
    ("level", "name"),
    [(10, "debug"), (0, "debug"), (20, "info"), (22, "info"), (25, "success"), (30, "warning"),
     (35, "warning"), (40, "error"), (99, "error"), (110, "debug"), (125, "success"),
     (140, "error")],
)  # fmt: skip
def test_every_number_has_one_of_five_names(level: int, name: str) -> None:
    assert level_name(level) == Message(level=level).level_name == name


def test_only_the_five_levels_of_monitio_are_kept() -> None:
    kept = [level for level in range(200) if constants.is_persistent(level)]
    assert kept == [110, 120, 125, 130, 140]
    page = Template("{% if m.is_persistent %}kept{% endif %}")
    assert page.render(Context({"m": Message(level=120)})) == "kept"
    assert page.render(Context({"m": Message(level=20)})) == ""
    assert Message(level=120).is_persistent() is True


def test_str_is_the_text_and_repr_shows_none() -> None:
    message = Message(message="secret", level=120)
    assert str(message) == "secret"
    assert "secret" not in repr(message)


def test_equals_a_message_of_django() -> None:
    message = Message(message="one", level=20)
    assert message == DjangoMessage(20, "one") and DjangoMessage(20, "one") == message
    assert message != DjangoMessage(20, "two") and message != "one"


def test_saved_messages_are_hashable(ann: Any) -> None:
    message = make_message(ann)
    assert len({message, Message.objects.get()}) == 1


# Safe and other text.


def again(message: Message) -> Message:
    return Message.objects.get(pk=message.pk)


def is_safe(message: Message) -> bool:
    html = Template("{{ m.html }}{{ m.message }}{{ m }}").render(Context({"m": message}))
    assert (html.count("<b>") in (0, 3)) and html.count("<b>") + html.count("&lt;b&gt;") == 3
    return html.count("<b>") == 3


def test_safe_text_is_html_from_every_source(ann: Any) -> None:
    message = make_message(ann, mark_safe("<b>one</b>"))
    assert is_safe(message) and is_safe(again(message))
    assert is_safe(Message.objects.only("subject").get())
    message.refresh_from_db()
    assert is_safe(message)
    message.save()
    assert is_safe(again(message))


def test_other_text_is_never_html(ann: Any) -> None:
    message = make_message(ann, "<b>one</b>")
    assert not is_safe(message) and not is_safe(again(message))
    message.refresh_from_db()
    assert not is_safe(message)


def save(message: Message) -> None:
    message.save()


def save_the_text(message: Message) -> None:
    message.save(update_fields=["message"])


def update(message: Message) -> None:
    Message.objects.filter(pk=message.pk).update(message=message.message)


def touch(message: Message) -> None:
    Message.objects.filter(pk=message.pk).touch(message=message.message)


@pytest.mark.parametrize("write", [save, save_the_text, update, touch])
def test_a_safe_text_that_was_replaced_is_safe_no_longer(ann: Any, write: Any) -> None:
    message = make_message(ann, mark_safe("<b>one</b>"))
    message.message = "<b>evil</b>"
    write(message)
    assert not is_safe(again(message))


def test_saving_some_fields_keeps_a_new_text_unsafe(ann: Any) -> None:
    message = make_message(ann, mark_safe("<b>one</b>"))
    message.message = "<b>evil</b>"
    message.refresh_from_db(fields=["read"])
    assert not isinstance(message.message, SafeData)


def test_loading_only_some_columns_costs_no_further_query(
    ann: Any, django_assert_num_queries: Any
) -> None:
    make_message(ann)
    with django_assert_num_queries(1):
        list(Message.objects.only("subject"))


def test_plain_text_has_no_markup_only_where_there_was_some() -> None:
    assert plain_text("1 < 2 & <b>") == "1 < 2 & <b>"
    assert plain_text(mark_safe("<p>1 &lt; 2<br>three</p>")) == "1 < 2\nthree"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a<br>b", "a\nb"),
        ("a<BR class='x' />b", "a\nb"),
        ("<p>a</p>\n\n<p>b</p>", "a\nb"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\nc"),
        ("<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<b>a</b>b", "ab"),
        ("a &lt;br&gt; b", "a <br> b"),
    ],
)
def test_plain_text_has_the_lines_of_its_markup(markup: str, text: str) -> None:
    assert plain_text(mark_safe(markup)) == text


# Links.


@pytest.mark.parametrize(
    "bad",
    ["javascript:x", "\tjavascript:x", "data:x", "ftp://x", "a\x00b", "/a\nb", "/a\u202e", "//[a"],
)
def test_a_bad_link_is_refused_by_code_form_and_model(ann: Any, bad: str) -> None:
    with pytest.raises(ValueError, match="cannot be linked to"):
        check_url(bad)
    with pytest.raises(ValueError, match="cannot be linked to"):
        make_message(ann, url=bad)
    with pytest.raises(ValidationError, match="cannot be linked to"):
        Message(user=ann, level=120, message="one", url=bad).full_clean(exclude=["recipient_key"])


def test_rows_written_in_bulk_are_prepared_and_checked_alike(ann: Any) -> None:
    (row,) = Message.objects.bulk_create([Message(user=ann, level=120, message=mark_safe("<b>"))])
    assert row.safe and row.recipient_key == f"user:{ann.pk}"
    with pytest.raises(ValueError, match="cannot be linked to"):
        Message.objects.bulk_create([Message(user=ann, level=120, message="x", url="data:x")])


# Jobs.


@pytest.mark.parametrize(
    ("done", "total", "percent"),
    [(None, 10, None), (5, None, None), (5, 0, None), (1, 3, 33.3), (20, 10, 100), (-1, 10, 0)],
)
def test_percent_is_between_0_and_100_or_unknown(
    done: float | None, total: float | None, percent: float | None
) -> None:
    assert Job(completed=done, total=total).percent == percent


def test_texts_of_the_models() -> None:
    assert str(Job(name="Report", state="started")) == "Report: Started"
    assert str(Job(task_id="id", state="lost")) == "id: Interrupted"
    assert str(Delivery(channel="email")) == "email: Pending"
