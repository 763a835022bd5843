"""MONITIO_POSTGRES_DSN, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from monitio.transports import load

pytest.importorskip("psycopg")


def test_a_mistyped_address_is_refused_without_its_password(settings: Any) -> None:
    settings.MONITIO_POSTGRES_DSN = "postgres:/ann:5ecret@host/name"
    with pytest.raises(ImproperlyConfigured, match="MONITIO_POSTGRES_DSN") as refused:
        load("postgres")
    assert "5ecret" not in str(refused.value) and refused.value.__suppress_context__
