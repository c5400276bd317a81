"""The report as a page: tables, figures and templates."""
