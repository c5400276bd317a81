"""The kinds of files, each a module with a ``KIND``."""

KINDS = ("programs", "checkpoints", "answers", "arrays", "images", "events", "patterns", "nets")
