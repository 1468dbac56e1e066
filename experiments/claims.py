"""Every claim of the sources, in their order."""

from experiments.claims_ablation import ABLATION
from experiments.claims_comparison import COMPARISON
from experiments.claims_figures import FIGURES
from experiments.claims_quest import QUEST
from experiments.claims_supplement import SUPPLEMENT
from experiments.claims_two_stages import TWO_STAGES
from reproduce.claim import PublishedClaim

CLAIMS: tuple[PublishedClaim, ...] = (*ABLATION, *COMPARISON, *TWO_STAGES, *FIGURES, *SUPPLEMENT, *QUEST)
