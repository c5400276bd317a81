"""The study on events: attacks that keep to events, universal patterns and patches."""
