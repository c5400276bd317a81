"""Programs of every kind, their files taken apart and put together again, and hostile ones."""
