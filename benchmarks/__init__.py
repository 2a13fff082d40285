"""Benchmarks: counts and ratios of times, side by side with the peers that install here.

``python -m benchmarks`` runs all, ``python -m benchmarks.<name>`` one; ``--out FILE`` writes
the tables as Markdown, ``--markdown`` prints them so.
"""
