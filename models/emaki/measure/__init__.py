"""Measures the model in the box. Used by `models/emaki/evaluate`."""
