"""Options of all that ranks with a trained model."""

from typing import Annotated

from stages.frame.options import Option

SCORING = "Scoring"
"""Help panel of what changes the scores of a trained model."""

NewItemBoost = Annotated[
    float,
    Option(
        "Added to the scores of items that training never saw, which are cosines: more than 0 shows new items more "
        "often, at the cost of others.",
        SCORING,
        min=-2,
        max=2,
        metavar="X",
    ),
]
