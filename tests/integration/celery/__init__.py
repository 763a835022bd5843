"""Tests with real workers, on the kinds of sites that ``profiles`` lists."""
