"""Tests without a server; the folders mirror the packages."""
