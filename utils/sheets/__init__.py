"""Draws the parts of synthetic herbarium sheets for make_sheets.py."""
