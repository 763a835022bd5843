"""django-tenants: each tenant (schema) is a scope.

``MONITIO_SCOPE = "monitio.contrib.tenants.TenantScope"``
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django_tenants.utils import (
    get_multi_type_database_field_name,
    get_public_schema_name,
    get_tenant_database_alias,
    get_tenant_domain_model,
    get_tenant_model,
    get_tenant_types,
    has_multi_type_tenants,
    schema_context,
)

from monitio.conf import settings
from monitio.integrations.context import current_request, in_event_loop
from monitio.integrations.run import current_run

# The schema inside ``activate`` in an event loop, whose connection belongs to no request.
_active: ContextVar[str | None] = ContextVar("monitio_schema", default=None)


class TenantScope:
    """A scope per schema, with its name; ``public`` is one of them."""

    def current(self) -> str:
        """Raises ``ImproperlyConfigured`` in an event loop without a request or task."""
        if not in_event_loop():
            return _scope_of(_connection().schema_name)
        # Here the middleware has set the schema of another thread's connection.
        active, run, request = _active.get(), current_run(), current_request.get()
        if active is not None:
            return _scope_of(active)
        if run is not None:
            return run.scope
        tenant = getattr(request, "tenant", None)
        if tenant is None:
            raise ImproperlyConfigured(
                "The current tenant cannot be determined inside an event loop. Add "
                "NotifyMiddleware to MIDDLEWARE, or call it by sync_to_async()."
            )
        return _scope_of(tenant.schema_name)

    def activate(self, scope: str) -> AbstractContextManager[Any]:
        schema = _schema_of(scope) or get_public_schema_name()
        if in_event_loop():
            return _in_loop(schema)
        # Changing the schema costs a query and clears the cache of content types.
        return nullcontext() if _connection().schema_name == schema else schema_context(schema)

    def all(self) -> list[str]:
        """The scopes of the schemas that have monitio's tables or use the public schema's."""
        public = get_public_schema_name()
        tenants = get_tenant_model()._default_manager.exclude(schema_name=public)
        if has_multi_type_tenants():
            types = [name for name, kind in get_tenant_types().items() if _has_us(kind["APPS"])]
            tenants = tenants.filter(**{f"{get_multi_type_database_field_name()}__in": types})
            is_shared = public in types
        else:
            is_shared = _has_us(getattr(django_settings, "SHARED_APPS", ()))
        with schema_context(public):
            names = list(tenants.order_by("pk").values_list("schema_name", flat=True))
        return [_scope_of(name) for name in ([public] if is_shared else []) + names]

    def base_url(self) -> str:
        """``MONITIO_BASE_URL`` (``https://``) with the tenant's primary domain; '' without one."""
        tenant = _connection().tenant
        known: str | None = getattr(tenant, "_monitio_base_url", None)
        if known is not None:
            return known
        url, schema = str(settings.BASE_URL), tenant.schema_name
        domains = get_tenant_domain_model()._default_manager
        primary = domains.filter(tenant__schema_name=schema, is_primary=True)
        domain = primary.values_list("domain", flat=True).first()
        if domain is not None:
            parts = urlsplit(url or "https://")
            port = f":{parts.port}" if parts.port else ""
            url = parts._replace(netloc=f"{domain}{port}").geturl()
        elif schema != get_public_schema_name():
            url = ""
        # Cached with the tenant: an e-mail has several links.
        tenant._monitio_base_url = url
        return url


def _connection() -> Any:
    return connections[get_tenant_database_alias()]


@contextmanager
def _in_loop(schema: str) -> Iterator[None]:
    token = _active.set(schema)
    try:
        yield
    finally:
        _active.reset(token)


def _has_us(names: Any) -> bool:
    return any(name == "monitio" or name.startswith("monitio.apps.") for name in names)


def _scope_of(schema: str) -> str:
    """The name of a schema with characters that a scope may not have escaped: ``a.20.b``."""
    return re.sub(r"[^A-Za-z0-9_-]", lambda found: f".{ord(found[0]):x}.", schema)


def _schema_of(scope: str) -> str:
    return re.sub(r"\.([0-9a-f]+)\.", lambda found: chr(int(found[1], 16)), scope)
