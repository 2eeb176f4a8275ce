"""Keeps accounts, applications and their services."""
