"""Stochi's Lava processes, one per file together with its model.

Lava finds a process's models by importing every file of its folder; these files are safe to import.
Import this package only after ``stochi.sim.lava.compatibility.import_lava()``.
"""
