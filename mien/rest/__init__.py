"""Stubs of the REST contracts."""
