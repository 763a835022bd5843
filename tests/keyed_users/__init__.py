"""User models whose primary keys are not integers."""
