"""The networks for small images, one family per file; all are a stem and stages.

"The benchmark" in these files is RepDistiller, the networks that CRD was published with: Tian et al.,
"Contrastive Representation Distillation", ICLR 2020, Tables 1 and 2.
"""
