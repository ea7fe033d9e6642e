"""Minimisation of any cost by the optimisers of the networks."""
