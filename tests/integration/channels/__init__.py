"""A conformance suite for channels, on each database and with killed processes."""
