"""Erasure: what was destroyed is gone here, in every cache and in every backup."""
