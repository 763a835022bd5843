"""The message storage: conformance with Django's storages, claims, queries, upgrades."""
