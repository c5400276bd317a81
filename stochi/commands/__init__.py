"""The command line: thin shells over the stages, one command a file."""
