"""The parity report: typed results, tables, figures, JSON and HTML."""
