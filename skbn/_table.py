"""Pickles of skbn 0.1 look for a class here, and are told which version loads them."""

from skbn._version import refuse_pickles_of_0_1 as __getattr__  # noqa: F401
