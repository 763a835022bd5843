"""Browser tests of the demo, and of a fake site that sends any event in any order."""
