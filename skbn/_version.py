"""The version, on its own so that no import goes round in a circle."""

__version__ = "0.1.0"
