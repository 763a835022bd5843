from __future__ import annotations

from datetime import datetime

import pytest
from django.utils import translation

from monitio.utils.dates import date_and_time


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "27 Nov 2026, 14:02"),
        ("ar", "27 نوفمبر 2026, 14:02"),
        ("de", "27. November 2026 14:02"),
        ("ja", "2026年11月27日14:02"),
    ],
)
def test_a_date_is_in_the_order_of_the_language_and_never_american(
    language: str, text: str
) -> None:
    with translation.override(language):
        assert date_and_time(datetime(2026, 11, 27, 14, 2)) == text


def test_a_format_of_the_site_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitio.utils.dates.get_format", lambda _name: "Y-m-d")
    assert date_and_time(datetime(2026, 11, 27, 14, 2)) == "2026-11-27"
