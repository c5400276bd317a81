"""The Lava back end. Nothing outside this folder imports Lava."""
