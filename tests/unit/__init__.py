"""Tests without servers; the folders mirror the packages."""
