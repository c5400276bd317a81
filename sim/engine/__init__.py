"""The engine, which runs a Program in compiled loops on the CPU and in torch on a GPU."""
