"""The templates of what channels send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string

SAFE_NAME = re.compile(r"[\w-]+")


def render_for(category: str, template: str, context: Mapping[str, Any]) -> str:
    """A template, or that of the category beside it: ``monitio/email/<category>/message.txt``."""
    folder, _, name = template.rpartition("/")
    # A name of messages' own, such as "../secret", must not leave the folder.
    own = [f"{folder}/{category}/{name}"] if SAFE_NAME.fullmatch(category) else []
    return render_to_string([*own, template], dict(context))
