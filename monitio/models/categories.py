"""What kinds of messages a site sends: ``MONITIO_CATEGORIES``, and whatever messages name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from monitio.conf import settings

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    AnyString: TypeAlias = str | _StrPromise
else:
    AnyString = str

KEYS = frozenset({"title", "essential", "default"})


class Mode(models.TextChoices):
    """What becomes of the e-mails of one category."""

    AT_ONCE = "at_once", _("At once")
    DIGEST = "digest", _("In the digest")
    OFF = "off", _("No e-mail")


@dataclass(frozen=True, kw_only=True)
class Category:
    """``name`` is what messages say, '' where they say none; ``title`` what people read.

    ``essential``: nobody can switch its e-mails off. ``default``: what a person gets who has not
    chosen; None: as they get everything else.
    """

    name: str
    # Lazily translated where it can be: an e-mail is written in its reader's language.
    title: AnyString
    essential: bool = False
    default: Mode | None = None


def category(name: str) -> Category:
    """The category of this name, declared by the site or not."""
    options = settings.CATEGORIES.get(name, {})
    default = options.get("default")
    return Category(
        name=name,
        title=options.get("title") or _title(name),
        essential=bool(options.get("essential", False)),
        default=None if default is None else Mode(default),
    )


def categories(used: Iterable[str] = ()) -> list[Category]:
    """Those the site declares, in its order, and those in ``used``; '' comes last."""
    names = dict.fromkeys([*settings.CATEGORIES, *sorted(used)])
    names.pop("", None)
    return [category(name) for name in (*names, "")]


def essential() -> list[str]:
    """The names of the categories that nobody can switch off."""
    return [name for name in settings.CATEGORIES if category(name).essential]


def gathered_by_default() -> bool:
    """Whether the site puts a category into digests of people who have not chosen."""
    return any(category(name).default == Mode.DIGEST for name in settings.CATEGORIES)


def mistakes(declared: Any) -> list[str]:
    """What is wrong with a value of ``MONITIO_CATEGORIES``."""
    if not isinstance(declared, Mapping):
        return [f"It maps names to options; {declared!r} does not."]
    found = []
    for name, options in declared.items():
        if not isinstance(name, str) or len(name) > 100:
            found.append(f"{name!r} is no name of a category: a string of 100 characters at most.")
        elif not isinstance(options, Mapping) or set(options) - KEYS:
            found.append(f"The options of {name!r} are title, essential and default.")
        elif options.get("default") not in (None, *Mode.values):
            found.append(f"The default of {name!r} is at_once, digest or off.")
    return found


def _title(name: str) -> AnyString:
    return str(capfirst(name.replace("_", " ").replace("-", " "))) or _("Everything else")
