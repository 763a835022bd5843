from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery, shared_task
from celery._state import get_current_app

from monitio.integrations.decorators import options_of
from monitio.jobs.options import NotifyOptions
from monitio_celery import notify_user


@pytest.fixture
def app() -> Iterator[Celery]:
    """A new Celery app; afterwards the former one is current again."""
    before = get_current_app()
    app = Celery("decorators")
    yield app
    app.close()
    before.set_current()


def nothing() -> None: ...


def function(month: str, owner_id: int = 1) -> str:
    return month


def test_bare_it_returns_the_same_object() -> None:
    def task() -> None: ...

    assert notify_user(task) is task
    assert options_of(task) == NotifyOptions()


def test_with_options_it_returns_the_same_object() -> None:
    def task() -> None: ...

    assert notify_user(title="Report")(task) is task
    options = options_of(task)
    assert options is not None
    assert options.title == "Report"


def test_below_app_task(app: Celery) -> None:
    def below() -> None: ...

    task = app.task(notify_user(title="Report")(below), name="below")
    assert options_of(task).title == "Report"  # type: ignore[union-attr]


def test_above_app_task(app: Celery) -> None:
    def above() -> None: ...

    task = app.task(above, name="above")
    assert notify_user(title="Report")(task) is task
    assert options_of(app.tasks["above"]).title == "Report"  # type: ignore[union-attr]
    assert callable(task.delay)


def test_above_and_below_shared_task(app: Celery) -> None:
    @notify_user(title="Above")
    @shared_task(name="tests.above_shared")
    def above() -> None: ...

    @shared_task(name="tests.below_shared")
    @notify_user(title="Below")
    def below() -> None: ...

    assert options_of(above).title == "Above"  # type: ignore[union-attr]
    assert options_of(below).title == "Below"  # type: ignore[union-attr]


def test_above_shared_task_applies_to_a_later_app(app: Celery) -> None:
    @notify_user(title="Above")
    @shared_task(name="tests.above_shared_later")
    def above() -> None: ...

    later = Celery("later", set_as_current=False)
    later.finalize()
    assert options_of(later.tasks["tests.above_shared_later"]).title == "Above"  # type: ignore[union-attr]
    later.close()


@pytest.mark.parametrize("options", [{"bind": True}, {"autoretry_for": (OSError,)}])
def test_below_with_options_of_the_task(app: Celery, options: dict[str, Any]) -> None:
    def task(*args: Any) -> None: ...

    made = app.task(notify_user(task), name="odd", shared=False, **options)
    assert options_of(made) == NotifyOptions()


def test_a_task_without_it_has_no_options(app: Celery) -> None:
    assert options_of(app.task(nothing, name="plain")) is None
    assert options_of(None) is None


def test_an_unknown_option_names_the_valid_ones() -> None:
    with pytest.raises(TypeError, match=r"no option 'sucess'. Valid are title, start"):
        notify_user(sucess="x")  # type: ignore[call-overload]


def test_an_option_without_its_name_is_refused() -> None:
    with pytest.raises(TypeError, match="Name your option"):
        notify_user("Monthly report")  # type: ignore[call-overload]


@pytest.mark.parametrize("options", [{"arguments": ["year"]}, {"user": "year"}])
def test_an_argument_the_task_does_not_take(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"names 'year', which function does not take. It takes m"):
        notify_user(**options)(function)


def test_any_argument_name_is_accepted_for_a_task_with_kwargs(app: Celery) -> None:
    def task(**kwargs: Any) -> None: ...

    assert notify_user(arguments=["year"])(task) is task


def test_the_type_of_the_task_is_kept() -> None:
    decorated: Callable[[str, int], str] = notify_user(function)
    assert decorated("May", 1) == "May"
