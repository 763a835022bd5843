"""Create messages, list them, act on them and prune them."""
