"""Tests with browsers, and of the examples."""
