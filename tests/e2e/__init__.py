"""Tests in browsers, and tests of the examples."""
