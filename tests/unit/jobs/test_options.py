from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import translation
from django.utils.translation import gettext_lazy

import monitio
from monitio.constants import State
from monitio.exceptions import UserFacingError
from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome
from monitio.jobs.texts import pace, prettify, public_reason


def outcome(state: str = State.SUCCEEDED, **fields: Any) -> Outcome:
    fields.setdefault("name", "reports.tasks.monthly_report")
    return Outcome(task_id="1", state=state, **fields)


def content(options: NotifyOptions, state: str = State.SUCCEEDED, **fields: Any) -> MessageContent:
    found = options.content(outcome(state, **fields))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("reports.tasks.monthly_report", "Monthly report"),
        ("import-contacts", "Import contacts"),
        ("shop.tasks.SendInvoice", "Send invoice"),
        ("export_CSV", "Export CSV"),
        ("", "Background task"),
    ],
)
def test_a_task_name_becomes_a_title(name: str, title: str) -> None:
    assert prettify(name) == title


@pytest.mark.parametrize(
    ("state", "subject", "level"),
    [
        (State.QUEUED, "Monthly report", monitio.INFO),
        (State.STARTED, "Monthly report", monitio.INFO),
        (State.RETRYING, "Monthly report", monitio.WARNING),
        (State.SUCCEEDED, "Monthly report: done", monitio.SUCCESS),
        (State.FAILED, "Monthly report: failed", monitio.ERROR),
        (State.REVOKED, "Monthly report: cancelled", monitio.WARNING),
        (State.LOST, "Monthly report: interrupted", monitio.WARNING),
    ],
)
def test_the_defaults_read_well(state: str, subject: str, level: int) -> None:
    found = content(NotifyOptions(), state)
    assert (found.subject, found.level) == (subject, level)


def test_an_error_for_developers_is_not_shown() -> None:
    found = content(
        NotifyOptions(), State.FAILED, error="password=x", exception=ValueError("password=x")
    )
    assert found.message.startswith("Something went wrong.")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UserFacingError("The file is empty."), "The file is empty."),
        (ValidationError(["One.", "Two."]), "One. Two."),
        (ValidationError({"name": ["Too long."]}), "Too long."),
        (UserFacingError(""), None),
        (ValueError("secret"), None),
        (None, None),
    ],
)
def test_the_reason_for_people(error: BaseException | None, reason: str | None) -> None:
    assert public_reason(error) == reason


def test_the_reason_is_the_body_of_a_failure() -> None:
    error = UserFacingError("The file is empty.")
    assert content(NotifyOptions(), State.FAILED, exception=error).message == "The file is empty."


def test_attempts_are_shown() -> None:
    assert content(NotifyOptions(), State.RETRYING).message == "Attempt 1 failed."
    assert content(NotifyOptions(), attempt=2).message == "Succeeded on attempt 3."


def test_progress_has_the_title_alone_and_its_own_text() -> None:
    options = NotifyOptions(progress="{done} of {total}")
    found = content(options, State.STARTED, done=3.0, total=10.0)
    assert (found.subject, found.message) == ("Monthly report", "3 of 10")


def test_placeholders() -> None:
    options = NotifyOptions(
        title="Report {month}",
        success="{task}: {result[pages]} pages at attempt {attempt}, {month}",
        arguments=["month"],
    )
    found = content(options, result={"pages": 3}, arguments={"month": "May"})
    assert found.subject == "Report May: done"
    assert found.message == "Report May: 3 pages at attempt 1, May"


def test_error_is_the_exceptions_text() -> None:
    options = NotifyOptions(failure="Sorry: {error}")
    found = content(options, State.FAILED, error="disk full", exception=OSError("disk full"))
    assert found.message == "Sorry: disk full"


def test_braces_in_values_are_harmless() -> None:
    found = content(NotifyOptions(success="{result}"), result="{error} {0.__class__}")
    assert found.message == "{error} {0.__class__}"


def test_a_function_returns_the_text() -> None:
    options = NotifyOptions(success=lambda o: f"{o.result} {{rows}}")
    assert content(options, result=5).message == "5 {rows}"


def test_a_function_may_return_the_default_or_suppress_the_message() -> None:
    assert content(NotifyOptions(success=lambda o: None)).message == ""
    assert NotifyOptions(success=lambda o: False).content(outcome()) is None


def test_false_sends_no_message() -> None:
    options = NotifyOptions(start=False)
    assert options.content(outcome(State.QUEUED)) is None
    assert options.content(outcome(State.STARTED)) is None
    assert options.content(outcome(State.SUCCEEDED)) is not None


def test_lazy_text_is_translated_when_it_is_rendered() -> None:
    assert content(NotifyOptions(success=gettext_lazy("Yes"))).message == "Yes"


@pytest.mark.parametrize("text", ["{result[nothing]}", lambda o: o.result["nothing"]])
def test_a_text_that_fails_becomes_the_default(text: Any, caplog: pytest.LogCaptureFixture) -> None:
    found = content(NotifyOptions(success=text), result={})
    assert (found.subject, found.message) == ("Monthly report: done", "")
    assert "the default text is used" in caplog.text


def test_without_the_arguments_the_default_text_is_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = NotifyOptions(title="Import of {filename}", arguments="filename")
    with caplog.at_level(logging.DEBUG):
        assert content(options, State.LOST).subject == "Monthly report: interrupted"
    assert not caplog.records


def test_url_by_a_function_only_after_success() -> None:
    options = NotifyOptions(url=lambda o: o.result["url"], url_label="Download")
    found = content(options, result={"url": "/f/1"})
    assert (found.url, found.url_label) == ("/f/1", "Download")
    assert content(options, State.FAILED).url is None


def test_url_without_a_result_is_shown_throughout() -> None:
    options = NotifyOptions(url="/imports/{pk}/", arguments=["pk"])
    assert content(options, State.STARTED, arguments={"pk": 7}).url == "/imports/7/"
    assert NotifyOptions(url="/r/{result}").content(outcome(State.STARTED)).url is None  # type: ignore[union-attr]


def test_values_are_quoted_in_a_url() -> None:
    assert content(NotifyOptions(url="/f/{result}"), result="../x?y").url == "/f/..%2Fx%3Fy"


def test_a_value_may_be_the_url() -> None:
    assert content(NotifyOptions(url="{result}"), result="/a/b?c").url == "/a/b?c"


def test_a_url_that_runs_code_is_no_link(caplog: pytest.LogCaptureFixture) -> None:
    assert content(NotifyOptions(url="{result}"), result="javascript:alert(1)").url is None
    assert "there is no link" in caplog.text


def test_email_is_set_for_the_chosen_ends() -> None:
    assert content(NotifyOptions(email=True)).email
    assert content(NotifyOptions(email=True), State.FAILED).email
    assert not content(NotifyOptions(email=True), State.REVOKED).email
    assert content(NotifyOptions(email="lost"), State.LOST).email
    assert not content(NotifyOptions()).email


@pytest.mark.parametrize(
    ("email", "ends"),
    [
        ("unless_seen", {"succeeded": "unless_seen", "failed": "unless_seen"}),
        (["lost", "unless_read"], {"lost": "unless_read"}),
        (
            {"failed": True, "succeeded": "unless_seen"},
            {"failed": True, "succeeded": "unless_seen"},
        ),
        ({"failed": True, "lost": False}, {"failed": True}),
    ],
)
def test_email_maps_ends_to_true_or_a_condition(email: Any, ends: dict[str, Any]) -> None:
    options = NotifyOptions(email=email)
    found = {end: content(options, end).email for end in State.ENDED}
    assert found == {end: ends.get(end, False) for end in State.ENDED}


def test_a_delay_goes_with_the_ends_that_are_mailed() -> None:
    options = NotifyOptions(email=["failed", "unless_read"], email_delay=timedelta(minutes=5))
    assert content(options, State.FAILED).email_delay == timedelta(minutes=5)
    assert content(options, State.SUCCEEDED).email_delay is None


def test_when_seconds_suppress_messages_of_quick_tasks() -> None:
    options = NotifyOptions(when=5)
    assert options.content(outcome(State.QUEUED)) is None
    assert options.content(outcome(State.STARTED, runtime=0.1)) is None
    assert options.content(outcome(State.SUCCEEDED, runtime=4.9)) is None
    assert options.content(outcome(State.STARTED, runtime=5.1, done=1.0)) is not None
    assert options.content(outcome(State.SUCCEEDED, runtime=5.0)) is not None


@pytest.mark.parametrize("state", [State.FAILED, State.LOST])
def test_when_seconds_never_hide_a_failure(state: str) -> None:
    assert NotifyOptions(when=5).content(outcome(state, runtime=0.1)) is not None


def test_when_may_be_a_function() -> None:
    options = NotifyOptions(when=lambda o: o.state != State.QUEUED)
    assert options.content(outcome(State.QUEUED)) is None
    assert options.content(outcome(State.FAILED)) is not None
    assert NotifyOptions(when=lambda o: False).content(outcome(State.FAILED)) is None


def test_levels_can_be_chosen() -> None:
    options = NotifyOptions(levels={"succeeded": monitio.INFO})
    assert content(options).level == monitio.INFO
    assert content(options, State.FAILED).level == monitio.ERROR


def test_category_and_tags_are_passed_on() -> None:
    found = content(NotifyOptions(category="reports", extra_tags="big"))
    assert (found.category, found.extra_tags) == ("reports", "big")


@pytest.mark.parametrize(
    ("options", "error", "found"),
    [
        ({"success": 5}, TypeError, "success= must be a string"),
        ({"url": False}, TypeError, "url= must be a string"),
        ({"success": "{month}"}, ValueError, "uses {month}. Known are {task}"),
        ({"success": "{"}, ValueError, "Write {{ or }}"),
        ({"success": "{}"}, ValueError, "uses {}"),
        ({"email": ["succeded"]}, ValueError, "Valid are succeeded, failed, revoked, lost"),
        ({"email": 3}, TypeError, "email= must be True"),
        ({"email": ["unless_read", "unless_seen"]}, ValueError, "one of unless_read and unless_se"),
        ({"email": {"failed": "unless_sen"}}, ValueError, "email= is True, False, 'unless_read'"),
        ({"email": {"faild": True}}, ValueError, "does not know 'faild'"),
        ({"email_delay": 5}, ValueError, "say with email="),
        ({"email": True, "email_delay": "5"}, TypeError, "in seconds, or a timedelta"),
        ({"email": True, "email_delay": -1}, ValueError, "between nothing and a year"),
        ({"when": "5"}, TypeError, "when= must be seconds"),
        ({"when": -1}, ValueError, "must not be negative"),
        ({"lost_after": "5"}, TypeError, "lost_after= must be seconds"),
        ({"lost_after": 0}, ValueError, "more than 0 seconds"),
        ({"arguments": [3]}, TypeError, "names of the task's arguments"),
        ({"arguments": ["result"]}, ValueError, "is a placeholder"),
        ({"levels": {"done": 125}}, ValueError, "Valid are queued, started"),
        ({"levels": {"succeeded": 25}}, ValueError, "takes monitio's levels"),
        ({"levels": 3}, TypeError, "levels= must map"),
        ({"category": 3}, TypeError, "category= must be a string"),
        ({"cancel": 1}, TypeError, "cancel= must be True or False"),
    ],
)
def test_invalid_options_are_refused(
    options: dict[str, Any], error: type[Exception], found: str
) -> None:
    with pytest.raises(error) as raised:
        NotifyOptions(**options)
    assert found in str(raised.value)


@pytest.mark.parametrize(
    ("rate", "eta", "words"),
    [
        (None, None, ""),
        (12.0, None, "12 per second"),
        (2.5, None, "2.5 per second"),
        (0.05, None, "3 per minute"),
        (0.005, None, "18 per hour"),
        (4.0, 1, "about 1 second left · 4 per second"),
        (4.0, 31, "about 40 seconds left · 4 per second"),
        (1.0, 121, "about 3 minutes left · 1 per second"),
        (1.0, 3600, "about 1 hour left · 1 per second"),
    ],
)
def test_rate_and_eta_as_text(rate: float | None, eta: int | None, words: str) -> None:
    assert pace(rate, eta) == words


def test_rate_and_eta_in_another_language() -> None:
    with translation.override("pl"):
        assert pace(1.5, 121) == "jeszcze około 3 minut · 1,5 na sekundę"
