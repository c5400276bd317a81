"""The command line: thin shells over the stages, one module per command.

Importing these modules must stay fast, for --help and for the shell's completion, so they import
torch and everything that is built on it inside of functions.
"""
