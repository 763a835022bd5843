"""User models whose keys are no numbers."""
