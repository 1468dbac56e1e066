"""Networks for small images, one family per file, of a stem and stages; may import the rest of models.

"The benchmark" in these files is RepDistiller, the networks that CRD was published with: Tian et al.,
"Contrastive Representation Distillation", ICLR 2020, Tables 1 and 2.
"""
