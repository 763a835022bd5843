"""Two tenants of django-tenants, in schemas of their own."""
