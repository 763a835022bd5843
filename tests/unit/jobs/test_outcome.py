"""The argument and the result of ``render`` functions."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from monitio import constants
from monitio.constants import State
from monitio.jobs.reporter import MessageContent, Outcome


@pytest.mark.parametrize("state", State.ALL)
def test_an_outcome_has_whether_it_is_an_end(state: str) -> None:
    assert Outcome(task_id="1", state=state).has_ended == (
        state in ("succeeded", "failed", "revoked", "lost")
    )


def test_content_is_persistent_and_emailed_only_if_requested() -> None:
    content = MessageContent(subject="Done")
    assert (content.level, content.email, content.url) == (constants.INFO, False, None)


@pytest.mark.parametrize("value", [Outcome(task_id="1"), MessageContent(subject="s")])
def test_neither_can_be_changed(value: Outcome | MessageContent) -> None:
    with pytest.raises(FrozenInstanceError):
        value.message = "other"  # type: ignore[union-attr,misc]
