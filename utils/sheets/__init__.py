"""Parts of the synthetic herbarium sheets that make_sheets.py draws."""
