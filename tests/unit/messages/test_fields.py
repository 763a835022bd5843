from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

import monitio
from monitio import api
from monitio.messages.fields import MessageFields
from monitio.storage import PersistentMessageStorage

# Parameters of functions besides the fields of a message.
OTHERS = {
    "create_message": {"to_user", "level", "message", "return"},
    "add_message": {"request", "level", "message", "user", "fail_silently", "return"},
    "add": {"level", "message", "user", "return"},
}


@pytest.mark.parametrize(
    "function", [api.create_message, api.add_message, PersistentMessageStorage.add]
)
def test_the_documented_signatures_have_every_field_of_a_message(
    function: Callable[..., Any],
) -> None:
    given = get_type_hints(function).keys() - OTHERS[function.__name__]
    # For messages of a request, None chooses by the level.
    names = {"sse" if name == "live" else name for name in given}
    assert names == MessageFields.__annotations__.keys()


def test_create_message_and_the_fields_have_the_same_types() -> None:
    hints = get_type_hints(api.create_message)
    fields = get_type_hints(MessageFields)
    assert {name: hints[name] for name in fields} == fields


@pytest.mark.django_db
def test_an_unknown_field_is_refused(ann: Any) -> None:
    with pytest.raises(TypeError, match="no argument 'urll'"):
        monitio.notify_many([ann], monitio.INFO, "one", urll="/")  # type: ignore[call-arg]
