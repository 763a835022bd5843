"""Categories of messages: those in ``MONITIO_CATEGORIES``, and others that messages name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from monitio.conf import settings
from monitio.utils.text import AnyString

KEYS = frozenset({"title", "essential", "default"})


class Mode(models.TextChoices):
    """How the e-mails of a category are sent."""

    AT_ONCE = "at_once", _("Right away")
    DIGEST = "digest", _("In a digest")
    OFF = "off", _("Never")


@dataclass(frozen=True, kw_only=True)
class Category:
    """``name`` is stored in messages, '' for those without one; users see ``title``.

    ``essential``: users cannot turn off its e-mails. ``default``: the mode of users without a
    preference for it; None: the mode of their other messages.
    """

    name: str
    # Translated lazily: an e-mail is written in its recipient's language.
    title: AnyString
    essential: bool = False
    default: Mode | None = None


def category(name: str) -> Category:
    """The category of this name, declared by the site or not."""
    options = settings.CATEGORIES.get(name, {})
    words = name.replace("_", " ").replace("-", " ")
    default = options.get("default")
    return Category(
        name=name,
        title=options.get("title") or str(capfirst(words)) or _("Everything else"),
        essential=bool(options.get("essential", False)),
        default=None if default is None else Mode(default),
    )


def categories(used: Iterable[str] = ()) -> list[Category]:
    """Those the site declares, in its order, and those in ``used``; '' comes last."""
    names = dict.fromkeys([*settings.CATEGORIES, *sorted(used)])
    names.pop("", None)
    return [category(name) for name in (*names, "")]


def essential() -> list[str]:
    """The names of the categories whose e-mails users cannot turn off."""
    return [name for name in settings.CATEGORIES if category(name).essential]


def gathered_by_default() -> bool:
    """Whether a category goes into the digests of users without preferences."""
    return any(category(name).default == Mode.DIGEST for name in settings.CATEGORIES)


def mistakes(declared: Any) -> list[str]:
    """What is wrong with this value of ``MONITIO_CATEGORIES``; empty if it is valid."""
    if not isinstance(declared, Mapping):
        return [f"It must map names to options, unlike {declared!r}."]
    found = []
    for name, options in declared.items():
        if not isinstance(name, str) or len(name) > 100:
            found.append(
                f"{name!r} is not a category name: use a string of at most 100 characters."
            )
        elif not isinstance(options, Mapping) or set(options) - KEYS:
            found.append(f"The options of {name!r} must be title, essential and default.")
        elif options.get("default") not in (None, *Mode.values):
            found.append(f"The default of {name!r} must be at_once, digest or off.")
    return found
