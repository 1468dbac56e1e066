"""Table 1: what the compactor (DGC) and the gradient resetting (RGGR) add."""

from functools import partial

from experiments.common.columns import IN_SHOP, VERI_776
from experiments.common.recipes import cdd, cdd_with_resetting, cdd_without_compactor, teacher
from experiments.schema.table import Entry, Row, Table

TABLE = Table(
    name="table1",
    title="Ablation results on In-Shop and VeRi-776",
    source="Xie et al., CVPR 2023, Table 1",
    headings=("Method", "Teacher", "Student"),
    groups=(IN_SHOP, VERI_776),
    reference="Teacher",
    rows=(
        Row(
            label="Teacher",
            texts=("-", "ResNet101"),
            entries={
                "In-Shop": Entry(
                    recipe=partial(teacher, "in-shop"),
                    paper={"MP": 43.50, "FLOPs": 12.99, "mAP": 81.72, "R1": 95.23},
                ),
                "VeRi-776": Entry(
                    recipe=partial(teacher, "veri776"),
                    paper={"MP": 43.50, "FLOPs": 12.99, "mAP": 80.50, "R1": 96.42},
                ),
            },
        ),
        Row(
            label="CDD w/o DGC",
            texts=("ResNet101", "ResNet101"),
            entries={
                "In-Shop": Entry(
                    recipe=partial(cdd_without_compactor, "in-shop"),
                    paper={"MP": 35.89, "FLOPs": 10.94, "mAP": 71.87, "R1": 90.45},
                ),
                "VeRi-776": Entry(
                    recipe=partial(cdd_without_compactor, "veri776"),
                    paper={"MP": 39.80, "FLOPs": 11.96, "mAP": 62.14, "R1": 93.27},
                ),
            },
        ),
        Row(
            label="CDD",
            texts=("ResNet101", "ResNet101"),
            entries={
                "In-Shop": Entry(
                    recipe=partial(cdd, "in-shop"),
                    paper={"MP": 20.14, "FLOPs": 6.31, "mAP": 81.38, "R1": 95.01},
                ),
                "VeRi-776": Entry(
                    recipe=partial(cdd, "veri776"),
                    paper={"MP": 18.59, "FLOPs": 5.77, "mAP": 80.36, "R1": 96.48},
                ),
            },
        ),
        Row(
            label="CDD+RGGR",
            texts=("ResNet101", "ResNet101"),
            entries={
                "In-Shop": Entry(
                    recipe=partial(cdd_with_resetting, "in-shop"),
                    paper={"MP": 14.97, "FLOPs": 4.68, "mAP": 81.28, "R1": 95.14},
                ),
                "VeRi-776": Entry(
                    recipe=partial(cdd_with_resetting, "veri776"),
                    paper={"MP": 14.30, "FLOPs": 4.46, "mAP": 80.67, "R1": 96.66},
                ),
            },
        ),
    ),
)
