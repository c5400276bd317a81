"""Our Lava processes, one a file, each beside its model.

Lava looks for a process's models by importing every file of its folder; these are harmless.
Import this package only after ``stochi.sim.lava.compatibility.import_lava()``.
"""
