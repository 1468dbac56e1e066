"""`study`: what it refuses, and with which exit code."""

import pytest

from tests.reproduce.said import Said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["study", "weight"], "needs --method"),
        (["study", "alpha", "--method", "rkd"], "takes no --method"),
        (["study", "weight", "--method", "nobody"], "--method nobody: table3 has rows of"),
        (["study", "p", "--artifact", "table2x"], "unknown artifact"),
        (["study", "k", "--artifact", "figure1"], "figure1 is a figure"),
    ],
)
def test_what_cannot_be_tuned_ends_with_code_2(words: list[str], message: str) -> None:
    said = Said(*words)
    assert said.code == 2
    assert message in said.err


def test_an_unknown_study_is_answered_with_those_that_exist() -> None:
    said = Said("study", "beta")
    assert said.code == 2
    assert "pareto" in said.err
