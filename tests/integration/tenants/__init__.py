"""Two tenants of django-tenants, each with its own schema."""
