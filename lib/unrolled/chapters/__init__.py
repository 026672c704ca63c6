"""What only a chapter shows: its explorables, labs and quick checks, one room per chapter."""
