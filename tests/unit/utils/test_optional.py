"""Optional libraries."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from monitio.utils.optional import import_optional


def test_the_top_level_package_is_returned() -> None:
    assert import_optional("json.decoder", extra="x", needed_by="X") is json


def test_a_missing_library_names_the_pip_command() -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r'X needs absent: pip install "monitio\[extra\]"'
    ):
        import_optional("absent.part", extra="extra", needed_by="X")
