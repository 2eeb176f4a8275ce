"""Stubs of the native contract, proto/mien/v1, made when the package is built."""
