"""A table as it comes: what its columns hold, and the Pipeline that takes it."""
