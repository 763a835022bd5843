"""Small functions without knowledge of messages or jobs."""
