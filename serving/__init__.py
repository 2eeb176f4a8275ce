"""How any service of the mesh runs. Knows no faces."""
