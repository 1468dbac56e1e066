"""QuEST's Figure 2: retrieval in the quantised spaces."""

from functools import partial

from experiments.quest.columns import WITH_WORDS
from experiments.quest.recipes import quest
from experiments.schema.figure import Curve, VisualWordRetrieval

FIGURE = VisualWordRetrieval(
    name="quest-figure2",
    title="Image retrieval in the quantised embedding spaces of a WRN-40-2 teacher and its WRN-16-2 student",
    source="Jain et al., ECCV 2020, QuEST's supplement, Figure 2",
    group=WITH_WORDS,
    curves=(
        Curve(
            label="WRN-40-2 to WRN-16-2",
            recipe=partial(quest, "WRN-40-2", "WRN-16-2", "cifar100"),
        ),
    ),
    notes=(
        "Images are compared by the dot product of the soft assignments at all positions of the last map. In "
        "the paper every query finds itself first.",
    ),
)
