"""One module a table or a figure of the papers, and problems on real data."""
