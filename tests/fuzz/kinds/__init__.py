"""The kinds of files, each a module with a ``KIND``."""

KINDS = ("programs", "graphs", "checkpoints", "answers", "arrays", "images", "events", "patterns")
KINDS += ("nets", "trainings", "reports")
