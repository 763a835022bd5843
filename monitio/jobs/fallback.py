"""The default texts, for a state that could not be reported in the author's."""

from __future__ import annotations

from dataclasses import replace

from django.utils import translation

from monitio.jobs.options import NotifyOptions
from monitio.jobs.outcome import MessageContent, Outcome, Render


def with_default_texts(render: Render, *, bare: bool = False) -> Render:
    """Renders what ``render`` does, in the default texts.

    Level, category and e-mail stay the author's choice. With ``bare`` they do not, and the texts
    are English: nothing is left that could fail.
    """

    def render_default(outcome: Outcome) -> MessageContent | None:
        plain = replace(outcome, result=None, exception=None, error="", text="", arguments={})
        with translation.override(None if bare else translation.get_language()):
            default = NotifyOptions().content(plain)
        assert default is not None
        try:
            chosen = render(outcome)
        except Exception:  # already logged
            return default
        if chosen is None or bare:
            return default if chosen else None
        return replace(
            default,
            level=chosen.level,
            email=chosen.email,
            email_delay=chosen.email_delay,
            via=chosen.via,
            start_via=chosen.start_via,
            category=chosen.category,
            icon=chosen.icon,
            extra_tags=chosen.extra_tags,
        )

    return render_default
