"""Journals: SQLite files of which one process is the owner, and what tells one from another."""
