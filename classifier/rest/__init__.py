"""CompreFace's REST API over the native functions: what is different is here, and nowhere else."""
