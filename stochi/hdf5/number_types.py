"""Types of numbers that pass from the process that reads a file to the one that asked for it."""

NUMBERS: tuple[str, ...] = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
"""Types of numbers that are read, by numpy's names."""
