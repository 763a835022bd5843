"""The default words, for a state that could not be reported in the author's."""

from __future__ import annotations

from dataclasses import replace

from django.utils import translation

from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome, Render


def in_default_words(wording: Render, *, bare: bool = False) -> Render:
    """A wording that reports what ``wording`` reports, in the default words.

    Level, category and e-mail stay the author's choice. With ``bare`` they do not, and the words
    are English: nothing is left that could fail.
    """

    def say(outcome: Outcome) -> MessageContent | None:
        default = _default(outcome, bare)
        try:
            chosen = wording(outcome)
        except Exception:  # logged where it was first met
            return default
        if chosen is None or bare:
            return default if chosen else None
        return replace(
            default,
            level=chosen.level,
            email=chosen.email,
            email_delay=chosen.email_delay,
            category=chosen.category,
            extra_tags=chosen.extra_tags,
        )

    return say


def _default(outcome: Outcome, bare: bool) -> MessageContent:
    plain = replace(outcome, result=None, exception=None, error="", text="", arguments={})
    with translation.override(None if bare else translation.get_language()):
        notice = NotifyOptions().content(plain)
    assert notice is not None
    return notice
