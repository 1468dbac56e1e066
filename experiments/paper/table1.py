"""Table 1: what the compactor (DGC) and the gradient resetting (RGGR) add."""

from experiments.common.columns import IN_SHOP, VERI_776
from experiments.common.recipes import cdd, cdd_with_resetting, cdd_without_compactor, teacher
from experiments.common.rows import HEAVY, trained
from experiments.schema.table import Table

TABLE = Table(
    name="table1",
    title="Ablation results on In-Shop and VeRi-776",
    source="Xie et al., CVPR 2023, Table 1",
    headings=("Method", "Teacher", "Student"),
    groups=(IN_SHOP, VERI_776),
    reference="Teacher",
    rows=(
        trained(
            "Teacher",
            teacher,
            {
                "In-Shop": {"MP": 43.50, "FLOPs": 12.99, "mAP": 81.72, "R1": 95.23},
                "VeRi-776": {"MP": 43.50, "FLOPs": 12.99, "mAP": 80.50, "R1": 96.42},
            },
            texts=("-", "ResNet101"),
        ),
        trained(
            "CDD w/o DGC",
            cdd_without_compactor,
            {
                "In-Shop": {"MP": 35.89, "FLOPs": 10.94, "mAP": 71.87, "R1": 90.45},
                "VeRi-776": {"MP": 39.80, "FLOPs": 11.96, "mAP": 62.14, "R1": 93.27},
            },
            texts=HEAVY,
        ),
        trained(
            "CDD",
            cdd,
            {
                "In-Shop": {"MP": 20.14, "FLOPs": 6.31, "mAP": 81.38, "R1": 95.01},
                "VeRi-776": {"MP": 18.59, "FLOPs": 5.77, "mAP": 80.36, "R1": 96.48},
            },
            texts=HEAVY,
        ),
        trained(
            "CDD+RGGR",
            cdd_with_resetting,
            {
                "In-Shop": {"MP": 14.97, "FLOPs": 4.68, "mAP": 81.28, "R1": 95.14},
                "VeRi-776": {"MP": 14.30, "FLOPs": 4.46, "mAP": 80.67, "R1": 96.66},
            },
            texts=HEAVY,
        ),
    ),
)
