"""Mapping of a Program to cores and chips.

What is counted, and from what source, stands in ``stochi/hardware/cores.py``, ``lists.py``,
``connections.py``, ``outgoing.py`` and ``pipeline.py``; docs/cores.md tells it in one go.
"""
