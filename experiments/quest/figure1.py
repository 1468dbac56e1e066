"""QuEST's Figure 1: error rate against the size of the teacher's vocabulary."""

from functools import partial

from experiments.quest.columns import CIFAR_10
from experiments.quest.recipes import classifier, quest_with_words
from experiments.schema.figure import Sweep
from experiments.schema.table import Entry, Row, Table

WORDS = (16, 32, 64, 128, 256, 512)
ALONE = "student without distillation"

FIGURE = Sweep(
    table=Table(
        name="quest-figure1",
        title="Effect of varying K: error rate against K on CIFAR-10, WRN-40-1 to WRN-16-1",
        source="Jain et al., ECCV 2020, QuEST's supplement, Figure 1",
        headings=("Words",),
        groups=(CIFAR_10,),
        reference=ALONE,
        rows=(
            *(
                Row(
                    label=f"K = {words}",
                    entries={
                        CIFAR_10.title: Entry(
                            recipe=partial(quest_with_words, words, "WRN-40-1", "WRN-16-1", "cifar10")
                        )
                    },
                )
                for words in WORDS
            ),
            Row(
                label=ALONE,
                entries={CIFAR_10.title: Entry(recipe=partial(classifier, "WRN-16-1", "cifar10"))},
            ),
        ),
        notes=("The paper names no numbers; its text says that K between 128 and 256 does best.",),
    ),
    axis="K",
    values={f"K = {words}": words for words in WORDS},
    baseline=ALONE,
    logarithmic=True,
)
