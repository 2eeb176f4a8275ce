"""CompreFace's own SDKs, unmodified: their locks, and a driver for each that makes every call it has."""
