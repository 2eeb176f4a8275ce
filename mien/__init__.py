"""Self-hosted face recognition: contract, client and command line."""
