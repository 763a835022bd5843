"""Helpers that tests share and that are not fixtures."""
