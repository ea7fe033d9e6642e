"""The panda: one model that is watched while it trains, changed on the way and taken back."""

from skbn.session.training_session import TrainingSession

__all__ = ["TrainingSession"]
