"""Commands that are killed at random moments, and a look at what they leave behind."""
