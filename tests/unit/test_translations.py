"""Every text is translated to every language with the same placeholders, and pages use it."""

from __future__ import annotations

import gettext
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import django
import polib
import pytest
from django.conf.locale import LANG_INFO
from django.template import engines
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import to_language

import monitio
from monitio import api
from monitio.stream.broadcaster import get_broadcaster
from monitio.views.strings import strings
from tests.support.people import request_of, user

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("monitio", "monitio_celery", "monitio_tasks", "examples/demo")
LOCALES = ("ar", "de", "es", "fr", "ja", "pl", "pt_BR")
CATALOGUES = [(package, locale) for package in PACKAGES for locale in LOCALES]
# Quotation marks of other languages, straight quotes and apostrophes; in French a breaking space;
# in Japanese half-width punctuation, and Latin letters without a space.
FOREIGN = {
    "ar": re.compile(r"[\"'“”„‘’?;,]"),
    "de": re.compile(r"[\"'”«»]"),
    "es": re.compile(r"[\"'“”„’]"),
    "fr": re.compile(r"[\"'“”„]| [:;?!»]|« |[^\s\xa0:][:;?!](?= |$)"),
    "ja": re.compile(r"[\"'“”„’?;]|,(?!\d)|: \S|[ぁ-龯ー][A-Za-z0-9%{]|[A-Za-z0-9}][ぁ-龯]"),
    "pl": re.compile(r"[\"'“«»’]"),
    "pt_BR": re.compile(r"[\"'„«»]"),
}
# %(name)s, %d, %% and {name}
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z%]|\{\w*\}")


@cache
def catalogue(package: str, locale: str, compiled: bool = False) -> list[polib.POEntry]:
    path = ROOT / package / "locale" / locale / "LC_MESSAGES" / "django"
    if compiled:
        return list(polib.mofile(f"{path}.mo"))
    return list(polib.pofile(f"{path}.po"))


@cache
def of_django(locale: str) -> dict[tuple[str | None, str], list[list[str]]]:
    """(context, text) -> the translations in Django's catalogues, which may differ."""
    folder = Path(django.__file__).parent
    found: dict[tuple[str | None, str], list[list[str]]] = {}
    for path in sorted(folder.glob(f"**/locale/{locale}/LC_MESSAGES/django.mo")):
        for entry in polib.mofile(str(path)):
            found.setdefault((entry.msgctxt, entry.msgid), []).append(translations_of(entry))
    return found


def translations_of(entry: polib.POEntry) -> list[str]:
    """The translation, in all its plural forms."""
    forms = entry.msgstr_plural
    return [forms[number] for number in sorted(forms)] if forms else [entry.msgstr]


def plural_rule(package: str, locale: str) -> tuple[int, Callable[[int], int]]:
    """The number of plural forms, and the function that chooses one for a number."""
    file = polib.pofile(f"{ROOT / package}/locale/{locale}/LC_MESSAGES/django.po")
    found = re.match(r"nplurals=(\d); plural=(.*);", file.metadata["Plural-Forms"])
    assert found
    return int(found[1]), gettext.c2py(found[2])


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def wanted(entry: polib.POEntry, form: int, uses: Counter[int]) -> list[list[str]]:
    """The placeholders that a form may have. A form for a single number may contain that number as
    a word, as Arabic does for two: Python ignores names that a text does not use.
    """
    found = PLACEHOLDER.findall(entry.msgid_plural or entry.msgid)
    may_be_word = entry.msgid_plural and uses[form] == 1 and found[0].startswith("%(")
    return [sorted(found), sorted(found[1:])] if may_be_word else [sorted(found)]


def edges(text: str) -> tuple[str, str]:
    """The white space around a text."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


class TestCatalogues:
    @pytest.mark.parametrize("package", PACKAGES)
    def test_every_package_has_the_same_languages(self, package: str) -> None:
        assert sorted(path.name for path in (ROOT / package / "locale").iterdir()) == list(LOCALES)

    @pytest.mark.parametrize("package", PACKAGES)
    def test_every_language_has_the_same_texts(self, package: str) -> None:
        known = {
            locale: {(entry.msgid, entry.msgid_plural) for entry in catalogue(package, locale)}
            for locale in LOCALES
        }
        assert known == dict.fromkeys(LOCALES, known["pl"])

    @pytest.mark.parametrize(("package", "locale"), CATALOGUES)
    def test_no_text_of_django_is_translated_differently(self, package: str, locale: str) -> None:
        """Django merges all catalogues: without a context, the order of apps would decide."""
        in_django = of_django(locale)
        assert (None, "Monday") in in_django
        assert {
            entry.msgid: translations_of(entry)
            for entry in catalogue(package, locale)
            if translations_of(entry)
            not in in_django.get((entry.msgctxt, entry.msgid), [translations_of(entry)])
        } == {}

    @pytest.mark.parametrize(("package", "locale"), CATALOGUES)
    def test_every_text_is_translated(self, package: str, locale: str) -> None:
        entries = catalogue(package, locale)
        wanting = [
            entry.msgid for entry in entries if entry.fuzzy or not all(translations_of(entry))
        ]
        assert entries and wanting == []

    @pytest.mark.parametrize(("package", "locale"), CATALOGUES)
    def test_every_plural_is_there(self, package: str, locale: str) -> None:
        count, _rule = plural_rule(package, locale)
        several = [entry for entry in catalogue(package, locale) if entry.msgid_plural]
        assert [entry.msgid for entry in several if len(translations_of(entry)) != count] == []

    @pytest.mark.parametrize(("package", "locale"), CATALOGUES)
    def test_placeholders_are_those_of_the_source(self, package: str, locale: str) -> None:
        uses = Counter(map(plural_rule(package, locale)[1], range(1000)))
        wrong = [
            (entry.msgid, form)
            for entry in catalogue(package, locale)
            for number, form in enumerate(translations_of(entry))
            if placeholders(form) not in wanted(entry, number, uses)
        ]
        assert wrong == []

    @pytest.mark.parametrize(("package", "locale"), CATALOGUES)
    def test_punctuation_is_that_of_the_language(self, package: str, locale: str) -> None:
        wrong = [
            form
            for entry in catalogue(package, locale)
            for form in translations_of(entry)
            if FOREIGN[locale].search(form)
            and form not in of_django(locale).get((entry.msgctxt, entry.msgid), [[]])[0]
        ]
        assert wrong == []

    @pytest.mark.parametrize(("package", "locale"), CATALOGUES)
    def test_white_space_around_a_text_is_kept(self, package: str, locale: str) -> None:
        wrong = [
            (entry.msgid, form)
            for entry in catalogue(package, locale)
            for form in translations_of(entry)
            if edges(form) != edges(entry.msgid)
        ]
        assert wrong == []

    @pytest.mark.parametrize(("package", "locale"), CATALOGUES)
    def test_the_compiled_file_is_that_of_the_source(self, package: str, locale: str) -> None:
        written, compiled = (
            {
                (entry.msgctxt, entry.msgid): translations_of(entry)
                for entry in catalogue(package, locale, compiled=compiled)
            }
            for compiled in (False, True)
        )
        assert compiled == written


@pytest.fixture(params=LOCALES)
def language(request: Any, settings: Any) -> str:
    """Activates each language, on a site that offers all of them."""
    languages = [to_language(locale) for locale in LOCALES]
    settings.LANGUAGES = [(code, LANG_INFO[code]["name"]) for code in ("en", *languages)]
    return to_language(request.param)


@pytest.fixture
def page(language: str, client: Client, db: None) -> Iterator[str]:
    """The inbox in this language."""
    client.force_login(user())
    api.create_message(user(), monitio.WARNING, "42 %", subject="Export")
    response = client.get(reverse("message_list"), headers={"accept-language": language})
    yield response.content.decode()
    get_broadcaster().stop()


def untranslated(texts: dict[str, str], language: str) -> list[str]:
    """Keys of the front end's strings that are English although a translation exists."""
    with translation.override(None):
        english = strings()
    words = {
        entry.msgid: entry.msgstr for entry in catalogue("monitio", translation.to_locale(language))
    }
    return [
        key
        for key, text in english.items()
        # Django translates those of sizes.
        if texts[key] == text != words.get(text, text)
    ]


class TestPages:
    def test_a_page_names_its_language_and_direction(self, page: str, language: str) -> None:
        direction = "rtl" if language == "ar" else "ltr"
        assert f'<html lang="{language}" dir="{direction}">' in page

    def test_a_page_is_in_the_language(self, page: str, language: str) -> None:
        with translation.override(language):
            words = [translation.gettext(text) for text in ("Notifications", "Mark as read")]
        assert all(word in page for word in words)
        assert "Mark as read" not in page

    def test_the_tag_brings_the_browsers_strings(self, language: str, db: None) -> None:
        with translation.override(language):
            template = engines["django"].from_string("{% load monitio %}{% monitio %}")
            part = template.render({}, request_of(user()))
        found = re.search(r"<script[^>]*data-strings>(.*?)</script>", part)
        assert found and untranslated(json.loads(found[1]), language) == []

    def test_numbers_find_their_plural(self, language: str, subtests: pytest.Subtests) -> None:
        for count in (0, 1, 2, 3, 11, 100, 1_000_000):
            with subtests.test(count=count), translation.override(language):
                text = translation.ngettext(
                    "about %(number)d minute left", "about %(number)d minutes left", count
                )
                assert "about" not in text and "%" not in text % {"number": count}


def test_arabic_has_a_word_for_two() -> None:
    with translation.override("ar"):
        forms = {
            translation.ngettext("%(count)s new notification", "%(count)s new notifications", count)
            for count in (1, 2, 3, 11)
        }
    assert len(forms) == 4
