"""The site's settings, limited to JSON values to be passed to its processes."""

from __future__ import annotations

from typing import Any

from tests.settings import INSTALLED_APPS, MIDDLEWARE
from tests.support.databases import database

SHARED_APPS = ["django_tenants", "tests.integration.tenants", "django.contrib.staticfiles"]
TENANT_APPS = [app for app in INSTALLED_APPS if app not in SHARED_APPS]


def settings(url: str, **more: Any) -> dict[str, Any]:
    return {
        "DATABASES": {"default": {**database(url), "ENGINE": "django_tenants.postgresql_backend"}},
        "DATABASE_ROUTERS": ["django_tenants.routers.TenantSyncRouter"],
        "SHARED_APPS": SHARED_APPS,
        "TENANT_APPS": TENANT_APPS,
        "INSTALLED_APPS": [*SHARED_APPS, *TENANT_APPS],
        "MIDDLEWARE": ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE],
        "TENANT_MODEL": "tenants.Tenant",
        "TENANT_DOMAIN_MODEL": "tenants.Domain",
        "ROOT_URLCONF": "tests.integration.tenants.urls",
        "MONITIO_SCOPE": "monitio.contrib.tenants.TenantScope",
        "MONITIO_BASE_URL": "https://example.com:8443/app",
        **more,
    }
