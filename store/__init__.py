"""What is stored in Postgres, and the only SQL."""
