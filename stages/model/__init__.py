"""The model of CoCoRec and its baselines: item encoders, backbone, losses, ranking (torch)."""

from stages.model.config import ModelConfig
from stages.model.recommender import Recommender

__all__ = ["ModelConfig", "Recommender"]
