from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from monitio.conf import Settings, settings


def test_each_setting_has_a_default_that_works() -> None:
    for name in Settings.DEFAULTS:
        getattr(settings, name)


def test_settings_are_read_on_each_access() -> None:
    assert settings.EXCLUDE_READ is True
    with override_settings(MONITIO_EXCLUDE_READ=False):
        assert settings.EXCLUDE_READ is False
    assert settings.EXCLUDE_READ is True


def test_none_is_a_value_and_not_replaced_by_the_default(settings: Any) -> None:
    settings.MONITIO_CLAIM_TIMEOUT = None
    assert Settings().CLAIM_TIMEOUT is None


def test_a_setting_that_does_not_exist_is_named() -> None:
    with pytest.raises(AttributeError, match="no setting MONITIO_NONSENSE"):
        _ = settings.NONSENSE


@pytest.mark.parametrize(
    ("legacy", "url"),
    [
        ({"location": "10.0.0.1:6380", "db": 3}, "redis://10.0.0.1:6380/3"),
        ({"location": "10.0.0.1:6380"}, "redis://10.0.0.1:6380/0"),
        ({"location": "/run/redis.sock", "db": 1}, "unix:///run/redis.sock?db=1"),
        ({"location": "unix:///run/redis.sock", "db": 1}, "unix:///run/redis.sock?db=1"),
        ({"location": "rediss://:pw@host:6379", "db": 2}, "rediss://:pw@host:6379/2"),
        ({"location": "redis://host/4", "db": 2}, "redis://host/4"),
        ({}, "redis://127.0.0.1:6379/0"),
        (None, "redis://127.0.0.1:6379/0"),
    ],
)
def test_the_legacy_redis_settings_are_used(legacy: Any, url: str) -> None:
    with override_settings(REDIS_SSEQUEUE_CONNECTION_SETTINGS=legacy):
        assert url == settings.REDIS_URL


def test_monitio_redis_url_takes_precedence(settings: Any) -> None:
    settings.REDIS_SSEQUEUE_CONNECTION_SETTINGS = {"location": "a:1"}
    settings.MONITIO_REDIS_URL = "redis://b:2/0"
    assert Settings().REDIS_URL == "redis://b:2/0"


def test_every_setting_is_documented() -> None:
    from pathlib import Path

    manual = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    missing = [name for name in Settings.DEFAULTS if f"`MONITIO_{name}`" not in manual]
    assert not missing
