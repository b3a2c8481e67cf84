"""Stage recommend: lists for every user of today, neighbours of items, and the same from Python (torch, pyarrow)."""

from typing import TYPE_CHECKING

from stages.frame.lazy import lazy_names
from stages.recommend.options import RecommendOptions, SimilarOptions

if TYPE_CHECKING:
    from stages.recommend.first_lists import preview
    from stages.recommend.items import Recommended
    from stages.recommend.neighbours import similar
    from stages.recommend.recommender import Recommender
    from stages.recommend.stage import recommend

__all__ = ["RecommendOptions", "Recommended", "Recommender", "SimilarOptions", "preview", "recommend", "similar"]
__getattr__ = lazy_names(
    __name__,
    {
        "preview": "stages.recommend.first_lists",
        "Recommended": "stages.recommend.items",
        "Recommender": "stages.recommend.recommender",
        "recommend": "stages.recommend.stage",
        "similar": "stages.recommend.neighbours",
    },
)
