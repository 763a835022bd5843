"""Tests of the demo, the minimal site and the production example, started as users start them."""
