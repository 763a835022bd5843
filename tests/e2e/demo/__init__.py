"""The demo, the minimal site and the production example, started as their users start them."""
