"""Every claim of the sources, in their order."""

from experiments.claims.ablation import ABLATION
from experiments.claims.comparison import COMPARISON
from experiments.claims.figures import FIGURES
from experiments.claims.quest import QUEST
from experiments.claims.supplement import SUPPLEMENT
from experiments.claims.two_stages import TWO_STAGES
from experiments.schema.claim import Claim

CLAIMS: tuple[Claim, ...] = (*ABLATION, *COMPARISON, *TWO_STAGES, *FIGURES, *SUPPLEMENT, *QUEST)
