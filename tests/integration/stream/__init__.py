"""One suite for every web server, with and without a proxy."""
