"""The conformance suite for hubs: nchan in nginx, and a double of Mercure."""
