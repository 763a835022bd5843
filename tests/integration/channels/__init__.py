"""What every channel must do, on each database, with processes that are killed."""
