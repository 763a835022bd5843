"""One module for each server that tests start."""
