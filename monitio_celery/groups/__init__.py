"""Groups and chords that are reported as one job."""
