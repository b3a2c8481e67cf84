"""The three losses, all on L2-normalised vectors with a temperature."""

from stages.model.losses.alignment import masked_sequence_alignment
from stages.model.losses.masked_codes import masked_code_modelling
from stages.model.losses.recommendation import recommendation

__all__ = ["masked_code_modelling", "masked_sequence_alignment", "recommendation"]
