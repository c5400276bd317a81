"""Attacks on event streams, within budgets that an event camera's data can hold."""
