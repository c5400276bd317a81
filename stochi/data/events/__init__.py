"""Recordings of event cameras: files, a simulated camera, and frames of 0 and 1."""
