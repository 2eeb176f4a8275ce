"""Stubs of the REST contract, proto/mien/rest/v1, made when the package is built."""
