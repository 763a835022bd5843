"""The scopes of django-tenants, without its database: names, event loops, existing schemas."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from monitio import scope
from monitio.integrations import run as runs
from monitio.integrations.context import current_request
from monitio.integrations.run import TaskRun

tenants: Any = pytest.importorskip("monitio.contrib.tenants")


class Connection:
    """django-tenants' attributes of a connection; all threads of the test share it."""

    def __init__(self) -> None:
        self.set_schema("public")

    def set_schema(self, name: str, *args: Any) -> None:
        self.set_tenant(SimpleNamespace(schema_name=name))

    def set_tenant(self, tenant: Any) -> None:
        self.tenant, self.schema_name = tenant, tenant.schema_name


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    found = Connection()
    monkeypatch.setattr(tenants, "_connection", lambda: found)
    monkeypatch.setattr("django_tenants.utils.connection", found)
    monkeypatch.setattr("django_tenants.utils.connections", {"default": found})
    return found


@pytest.fixture
def tenant_scope(settings: Any, connection: Connection) -> Any:
    settings.MONITIO_SCOPE = "monitio.contrib.tenants.TenantScope"
    return scope


def in_loop(call: Callable[[], Any]) -> Any:
    async def view() -> Any:
        return call()

    return asyncio.run(view())


@given(st.from_regex(r"(?!pg_)[^\"'\\;\x00\r\n]{1,63}", fullmatch=True))
def test_every_schema_has_a_scope_and_every_scope_its_schema(schema: str) -> None:
    assert tenants._schema_of(tenants._scope_of(schema)) == schema


@pytest.mark.parametrize(
    ("schema", "name"),
    [("acme_1-x", "acme_1-x"), ("Acme", "Acme"), ("a b", "a.20.b"), ("a.b", "a.2e.b")],
)
def test_plain_names_stay_as_they_are(schema: str, name: str) -> None:
    assert tenants._scope_of(schema) == name
    assert scope.valid(name)


def test_the_schema_of_the_connection_is_the_scope(tenant_scope: Any, connection: Any) -> None:
    connection.set_schema("a")
    assert scope.current() == "a"
    with scope.activate("b"):
        assert (scope.current(), connection.schema_name) == ("b", "b")
    assert scope.current() == "a"


def test_a_tenant_that_is_current_already_stays_as_it_is(
    tenant_scope: Any, connection: Any
) -> None:
    connection.set_tenant(tenant := SimpleNamespace(schema_name="a", name="Acme"))
    with scope.activate("a"):
        assert connection.tenant is tenant


def test_no_scope_is_the_public_schema(tenant_scope: Any, connection: Any) -> None:
    connection.set_schema("a")
    with scope.activate(""):
        assert connection.schema_name == "public"


@pytest.fixture
def request_of_a() -> Iterator[None]:
    request: Any = HttpRequest()
    request.tenant = SimpleNamespace(schema_name="a")
    token = current_request.set(request)
    yield
    current_request.reset(token)


def test_in_an_event_loop_the_request_names_it(tenant_scope: Any, request_of_a: None) -> None:
    assert in_loop(scope.current) == "a"


def test_in_an_event_loop_the_running_task_names_it(tenant_scope: Any) -> None:
    runs.activate(TaskRun("1", carried=None, reporter=None, scope="b"))
    try:
        assert in_loop(scope.current) == "b"
    finally:
        runs.deactivate("1")


def test_in_an_event_loop_the_connections_schema_is_not_used(
    tenant_scope: Any, connection: Any
) -> None:
    # As left by another request.
    connection.set_schema("b")
    with pytest.raises(ImproperlyConfigured, match="event loop"):
        in_loop(scope.current)


def test_activating_in_an_event_loop_does_not_change_its_connection(
    tenant_scope: Any, connection: Any
) -> None:
    def view() -> str:
        with scope.activate("a"):
            assert connection.schema_name == "public"
            return scope.current()

    assert in_loop(view) == "a"


class Tenants:
    """A double of the manager of the tenants' model."""

    def __init__(self, **kinds: str) -> None:
        self.kinds = kinds

    def exclude(self, schema_name: str) -> Tenants:
        return Tenants(**{name: kind for name, kind in self.kinds.items() if name != schema_name})

    def filter(self, kind__in: list[str]) -> Tenants:
        return Tenants(**{name: kind for name, kind in self.kinds.items() if kind in kind__in})

    def order_by(self, *names: str) -> Tenants:
        return self

    def values_list(self, *names: str, flat: bool) -> list[str]:
        return list(self.kinds)


@pytest.fixture
def existing(monkeypatch: pytest.MonkeyPatch, tenant_scope: Any) -> None:
    model = SimpleNamespace(_default_manager=Tenants(public="public", a="shop", b="blog"))
    monkeypatch.setattr(tenants, "get_tenant_model", lambda: model)


@pytest.mark.parametrize(
    ("shared", "expected"),
    [([], ["a", "b"]), (["django_tenants", "monitio"], ["public", "a", "b"])],
)
def test_the_public_schema_counts_if_it_has_monitios_tables(
    existing: None, settings: Any, shared: list[str], expected: list[str]
) -> None:
    settings.SHARED_APPS = shared
    assert scope.all() == expected


def test_tenants_of_a_type_without_monitio_do_not_count(existing: None, settings: Any) -> None:
    settings.HAS_MULTI_TYPE_TENANTS = True
    settings.MULTI_TYPE_DATABASE_FIELD = "kind"
    settings.TENANT_TYPES = {
        "public": {"APPS": ["django_tenants"]},
        "shop": {"APPS": ["monitio.apps.MonitioConfig"]},
        "blog": {"APPS": ["monitio_celery"]},
    }
    assert scope.all() == ["a"]


@pytest.mark.parametrize(
    ("schema", "domain", "base", "expected"),
    [
        ("a", "a.test", "https://example.com", "https://a.test"),
        ("a", "a.test", "http://example.com:8000/app", "http://a.test:8000/app"),
        ("a", "a.test", "", "https://a.test"),
        ("a", None, "https://example.com", ""),
        ("public", None, "https://example.com", "https://example.com"),
    ],
)
def test_links_lead_to_the_tenants_own_domain(
    tenant_scope: Any,
    connection: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    schema: str,
    domain: str | None,
    base: str,
    expected: str,
) -> None:
    connection.set_schema(schema)
    settings.MONITIO_BASE_URL = base
    answer = SimpleNamespace(values_list=lambda *a, **k: SimpleNamespace(first=lambda: domain))
    model = SimpleNamespace(_default_manager=SimpleNamespace(filter=lambda **kw: answer))
    monkeypatch.setattr(tenants, "get_tenant_domain_model", lambda: model)
    assert scope.base_url() == expected
