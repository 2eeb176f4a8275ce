"""Holds galleries in memory, fresh, and says who is in an image."""
