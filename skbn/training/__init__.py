"""Runs: the training of networks, alone or together, and their judging."""
