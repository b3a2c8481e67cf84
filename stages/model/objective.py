"""What training minimises: L = L_rec + a L_mcm + b L_msa."""

from dataclasses import dataclass

from stages.model.masking import CodeMasking


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Options of the losses; a model takes those that concern it.

    Attributes:
        temperature: of all softmaxes.
        negatives: items drawn per step to stand for the catalogue; 0 ranks against all of it.
        mcm_weight: a, weight of masked code modelling.
        msa_weight: b, weight of masked sequence alignment.
        masking: how codes are masked.
        mcm_softmax: rank a masked code against those of its ``position`` or the whole ``table``.
        msa_same_target: histories with the same next item are negatives of each other.
    """

    temperature: float
    negatives: int
    mcm_weight: float
    msa_weight: float
    masking: CodeMasking
    mcm_softmax: str
    msa_same_target: bool
