"""Comparison of trials in distribution, with tests of equivalence."""
