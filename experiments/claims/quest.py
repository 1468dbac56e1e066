"""Claims of QuEST's supplement: its students, its vocabulary, its quantised spaces."""

from functools import partial

from experiments.quest.columns import ERROR, PARAMETERS, TOP_1
from experiments.quest.table1 import PAIRS
from experiments.schema.claim import Claim, Comparison, FinalMetric, QuotedNumber, RunRef, SelfRetrievalRate

FIGURE_2 = "Jain et al., ECCV 2020, QuEST's supplement, Figure 2"
ROWS = tuple(f"{teacher} to {student}" for teacher, student, *_ in PAIRS)
WIDE, SHUFFLED = "WRN-40-2 to WRN-16-2", "WRN-40-2 to ShuffleNetV1"
K16, K32, K64, K128, K256, K512 = (
    RunRef("quest-figure1", f"K = {words}", "CIFAR-10") for words in (16, 32, 64, 128, 256, 512)
)

table_1 = partial(Claim, source="Jain et al., ECCV 2020, QuEST's supplement, Table 1", where="Section D")
figure_1 = partial(Claim, source="Jain et al., ECCV 2020, QuEST's supplement, Figure 1", where="Section E")

QUEST = (
    table_1(
        name="quest-above-student",
        text="QuEST is above the student alone in all thirteen pairs",
        measure=FinalMetric(TOP_1),
        pairs=tuple(
            Comparison(RunRef("quest-table1", row, "QuEST"), RunRef("quest-table1", row, "student"))
            for row in ROWS
        ),
    ),
    table_1(
        name="quest-above-teacher-wide",
        text="The student WRN-16-2 is above its teacher WRN-40-2",
        measure=FinalMetric(TOP_1),
        pairs=(Comparison(RunRef("quest-table1", WIDE, "QuEST"), RunRef("quest-table1", WIDE, "teacher")),),
        printed=(QuotedNumber("0.49 %", 0.49, "Section D"),),
    ),
    table_1(
        name="quest-above-teacher-shuffled",
        text="The student ShuffleNetV1 is above its teacher WRN-40-2",
        measure=FinalMetric(TOP_1),
        pairs=(
            Comparison(
                RunRef("quest-table1", SHUFFLED, "QuEST"), RunRef("quest-table1", SHUFFLED, "teacher")
            ),
        ),
        printed=(QuotedNumber("1.14 %", 1.14, "Section D"),),
    ),
    table_1(
        name="quest-compression-wide",
        text="WRN-16-2 has fewer parameters than WRN-40-2",
        measure=FinalMetric(PARAMETERS),
        pairs=(Comparison(RunRef("quest-table1", WIDE, "student"), RunRef("quest-table1", WIDE, "teacher")),),
        printed=(QuotedNumber("68.81 %", 68.81, "Section D"),),
    ),
    table_1(
        name="quest-compression-shuffled",
        text="ShuffleNetV1 has fewer parameters than WRN-40-2",
        measure=FinalMetric(PARAMETERS),
        pairs=(
            Comparison(
                RunRef("quest-table1", SHUFFLED, "student"), RunRef("quest-table1", SHUFFLED, "teacher")
            ),
        ),
        printed=(QuotedNumber("57.91 %", 57.91, "Section D"),),
    ),
    figure_1(
        name="quest-vocabulary-128",
        text="A vocabulary of 128 words has a lower error than smaller and larger ones",
        measure=FinalMetric(ERROR),
        pairs=(Comparison(K16, K128), Comparison(K32, K128), Comparison(K64, K128), Comparison(K512, K128)),
    ),
    figure_1(
        name="quest-vocabulary-256",
        text="A vocabulary of 256 words has a lower error than smaller and larger ones",
        measure=FinalMetric(ERROR),
        pairs=(Comparison(K16, K256), Comparison(K32, K256), Comparison(K64, K256), Comparison(K512, K256)),
    ),
    Claim(
        name="quest-finds-itself",
        text="In the quantised spaces every query finds itself first",
        source=FIGURE_2,
        where="Section F",
        measure=SelfRetrievalRate(),
        pairs=(Comparison(RunRef("quest-figure2", "WRN-40-2 to WRN-16-2", "QuEST")),),
        relation="no less",
        margin=1.0,
        level=100.0,
        size=0.0,
    ),
)
