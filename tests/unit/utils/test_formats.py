from __future__ import annotations

import pytest
from django.template.defaultfilters import filesizeformat
from django.utils import formats, translation

from monitio.utils.formats import duration, percentage, sizes
from monitio.views.strings import strings


@pytest.mark.parametrize(("language", "text"), [("en", "42%"), ("de", "42\xa0%"), ("pl", "42%")])
def test_a_percentage_is_rounded_down_and_written_alike_by_pages_and_browser(
    language: str, text: str
) -> None:
    with translation.override(language):
        assert percentage(42.9) == strings()["percent"].replace("{n}", "42") == text


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_the_front_end_has_djangos_texts_for_sizes(language: str) -> None:
    with translation.override(language):
        number = formats.number_format(23.5, 1)
        expected = [filesizeformat(23.5 * 1024**power) for power in (1, 2, 3)]
        assert [text.replace("{n}", number) for text in sizes()] == expected


@pytest.mark.parametrize(
    ("language", "seconds", "text"),
    [("en", 0, "0.0 s"), ("en", 4.97, "5.0 s"), ("de", 4.24, "4,2 s"), ("en", 31, "31 s"),
     ("en", 62, "1 min 2 s"), ("en", 11_100, "3 h 5 min"), ("en", 200_000, "2 d"),
     ("ja", 62, "1 分 2 秒"), ("ar", 11_100, "3 س 5 د")],
)  # fmt: skip
def test_durations(language: str, seconds: float, text: str) -> None:
    with translation.override(language):
        assert duration(seconds) == text
