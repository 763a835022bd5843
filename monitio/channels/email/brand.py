"""The site's name, logo and colour in e-mails: ``MONITIO_BRAND``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from monitio import links
from monitio.conf import settings
from monitio.scope import base_url

COLOUR = "#2d5bd7"
# The card of an e-mail, in light and dark.
LIGHT, DARK = "#ffffff", "#17181b"
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# WCAG 2.2, 1.4.3.
LEAST_CONTRAST = 4.5


@dataclass(frozen=True, kw_only=True)
class Brand:
    """What the templates of e-mails show of the site.

    ``logo`` is an absolute URL, '' without one. ``color`` is the background of buttons, ``text`` is
    readable on it; ``link`` and ``link_dark`` are readable on the light and the dark card.
    ``address`` is the last line, for example the company's name and address.
    """

    name: str
    logo: str
    color: str
    text: str
    link: str
    link_dark: str
    address: str


def brand() -> Brand:
    given: Mapping[str, Any] = settings.BRAND
    color = str(given.get("color") or COLOUR)
    return Brand(
        name=str(given.get("name") or site_name()),
        logo=links.absolute(str(given.get("logo") or "")),
        color=color,
        text=LIGHT if contrast(color, LIGHT) >= LEAST_CONTRAST else "#000000",
        link=readable(color, LIGHT),
        link_dark=readable(color, DARK),
        address=str(given.get("address") or ""),
    )


def site_name() -> str:
    """The site's host name; '' without ``MONITIO_BASE_URL``."""
    return urlsplit(base_url()).hostname or ""


@lru_cache
def readable(color: str, background: str) -> str:
    """``color``, mixed with black or white until its contrast to ``background`` is 4.5:1."""
    target = BLACK if _luminance(background) > 0.5 else WHITE
    for share in range(0, 101, 5):
        mixed = [
            round(part + (end - part) * share / 100)
            for part, end in zip(_rgb(color), target, strict=True)
        ]
        found = "#" + "".join(f"{part:02x}" for part in mixed)
        if contrast(found, background) >= LEAST_CONTRAST:
            break
    return found


@lru_cache
def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (``#rrggbb``), 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [part / 255 for part in _rgb(color)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
