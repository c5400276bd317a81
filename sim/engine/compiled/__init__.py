"""The engine on the CPU: a Program as flat tables, and compiled loops that run it.

The loops step one sample through all layers and time steps, while its states stay in the caches.
The arithmetic and the draws are the functions of ``stochi.hardware``, compiled. The modules here
only determine order and memory.
"""
