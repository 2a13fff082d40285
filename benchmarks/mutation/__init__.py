"""Mutation testing: do the tests and the claims notice when the code is wrong?

``python -m benchmarks.mutation map`` runs the tests once and records which of them reach which
line; ``run`` tries a random sample of mutants, each against the tests that reach it; ``again``
tries those that survived once more, after new tests or with wider ones; ``report`` prints the
score and the survivors. The mutants are those of mutmut's operators, and calls dropped.
"""
