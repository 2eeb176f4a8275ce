"""Turns images into faces and faces into embeddings."""
