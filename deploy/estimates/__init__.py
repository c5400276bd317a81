"""What a Program does on data: events that are counted, and what they cost."""
