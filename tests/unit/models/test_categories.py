from __future__ import annotations

from typing import Any

import pytest

from monitio.checks import check_categories
from monitio.models.categories import Mode, categories, category


def test_a_category_needs_no_declaration() -> None:
    kind = category("monthly_report")
    assert (kind.title, kind.essential, kind.default) == ("Monthly report", False, None)


def test_a_declared_one_has_the_options_of_the_setting(settings: Any) -> None:
    options = {"title": "Exports", "essential": True, "default": "off"}
    settings.MONITIO_CATEGORIES = {"exports": options}
    kind = category("exports")
    assert (kind.title, kind.essential, kind.default) == ("Exports", True, Mode.OFF)


def test_messages_without_a_category_can_have_a_title(settings: Any) -> None:
    settings.MONITIO_CATEGORIES = {"": {"title": "The rest"}, "exports": {}}
    assert [kind.title for kind in categories()] == ["Exports", "The rest"]


@pytest.mark.parametrize(
    ("declared", "named"),
    [
        ([], "map names"),
        ({1: {}}, "1 is not a category name"),
        ({"x" * 101: {}}, "not a category name"),
        ({"exports": "Exports"}, "'exports'"),
        ({"exports": {"titel": "Exports"}}, "title, essential and default"),
        ({"exports": {"default": "daily"}}, "at_once, digest or off"),
    ],
)
def test_malformed_categories_are_reported(settings: Any, declared: Any, named: str) -> None:
    settings.MONITIO_CATEGORIES = declared
    (error,) = check_categories(None)
    assert error.id == "monitio.E032"
    assert named in error.msg


def test_valid_declarations_are_accepted(settings: Any) -> None:
    settings.MONITIO_CATEGORIES = {"exports": {"title": "Exports", "default": "digest"}, "": {}}
    assert check_categories(None) == []
