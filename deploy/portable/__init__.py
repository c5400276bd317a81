"""Folders that run a Program on Lava where neither torch nor Stochi is installed."""
