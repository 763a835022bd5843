"""The icon of a message, and the picture of its sender."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string

import monitio
from monitio.serializers import payload
from monitio.utils.icons import ICONS
from tests.support.people import user

pytestmark = pytest.mark.django_db


def picture(sender: Any) -> str | None:
    return {"bob": "/media/bob.png", "carl": "javascript:alert(1)"}.get(sender.username)


def tile(message: Any) -> str:
    return render_to_string("monitio/includes/tile.html", {"message": message})


def test_there_are_24_and_each_is_documented(pytestconfig: Any) -> None:
    manual = (pytestconfig.rootpath / "docs/messages.md").read_text(encoding="utf-8")
    (row,) = (line for line in manual.splitlines() if line.startswith("| `icon` |"))
    assert len(ICONS) == 24
    assert [name for name in ICONS if f"`{name}`" not in row] == []


def test_browsers_and_pages_get_its_path() -> None:
    message = monitio.create_message(user(), monitio.INFO, "Sent", icon="mail")
    assert payload(message)["icon"] == ICONS["mail"]
    assert ICONS["mail"] in tile(message)


def test_without_an_icon_no_field_is_sent() -> None:
    message = monitio.create_message(user(), monitio.INFO, "Sent", from_user=user("bob"))
    assert not {"icon", "avatar"} & payload(message).keys()


def test_an_unknown_one_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(ValueError, match=r"'envelope'.*archive.*mail"):
        monitio.create_message(user(), monitio.INFO, "Sent", icon="envelope")


def test_the_setting_names_the_picture_of_the_sender(settings: Any) -> None:
    settings.MONITIO_AVATAR = f"{__name__}.picture"
    message = monitio.create_message(user(), monitio.INFO, "Lunch?", from_user=user("bob"))
    assert payload(message)["avatar"] == "/media/bob.png"
    assert 'src="/media/bob.png"' in tile(message)


@pytest.mark.parametrize("name", ["carl", "dora"])
def test_an_unsafe_or_no_picture_leaves_the_initials(settings: Any, name: str) -> None:
    settings.MONITIO_AVATAR = f"{__name__}.picture"
    message = monitio.create_message(user(), monitio.INFO, "Lunch?", from_user=user(name))
    assert "avatar" not in payload(message)
    assert name[0].upper() in tile(message)
