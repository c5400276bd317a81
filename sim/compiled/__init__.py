"""The engine on the CPU: a Program as flat tables, and compiled loops that step one sample through
all layers and steps while its states stay in the caches. The arithmetic and the draws are those of
``stochi.hardware``, compiled; everything here is about order and memory."""
