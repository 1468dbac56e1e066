"""Supplement, Table 1: which network's features ask in RGGR's retrieval, the student's or the teacher's."""

from experiments.common.columns import VERI_776
from experiments.common.recipes import cdd_with_resetting, cdd_with_standard_retrieval
from experiments.common.rows import trained
from experiments.schema.table import Table

TABLE = Table(
    name="supp-table1",
    title="The result of different retrieval strategies on VeRi-776",
    source="Xie et al., CVPR 2023, Supplement, Table 1",
    headings=("Methods",),
    groups=(VERI_776,),
    reference="role-cross retrieval strategy",
    side_by_side=True,
    rows=(
        trained(
            "standard retrieval strategy",
            cdd_with_standard_retrieval,
            {"VeRi-776": {"MP": 14.56, "FLOPs": 4.56, "mAP": 80.28, "R1": 96.13}},
        ),
        trained(
            "role-cross retrieval strategy",
            cdd_with_resetting,
            {"VeRi-776": {"MP": 14.30, "FLOPs": 4.46, "mAP": 80.67, "R1": 96.66}},
        ),
    ),
)
