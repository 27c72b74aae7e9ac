"""The table of conformance is complete, honest and up to date."""

from tests.conformance.parameters import PARAMETERS, UNPROVEN
from tests.conformance.table import FILE, proofs, table

KNOWN = {name for section in PARAMETERS.values() for name in section}


def test_tests_prove_parameters_that_there_are():
    assert {proof.parameter for proof in proofs()} <= KNOWN


def test_every_parameter_is_proven_or_says_why_not():
    proven = {proof.parameter for proof in proofs()}
    assert set(UNPROVEN) <= KNOWN
    assert not proven & set(UNPROVEN), "proven, and said not to be"
    assert not KNOWN - proven - set(UNPROVEN), "neither proven nor excused"


def test_the_committed_table_is_up_to_date():
    assert FILE.read_text(encoding="utf-8") == table(), "run make conformance"
