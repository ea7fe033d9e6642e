"""What moved between two tables, and what can be repaired without labels."""
