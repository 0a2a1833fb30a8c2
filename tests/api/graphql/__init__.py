"""The request engine: HTTP rules, operations and limits, answers and masking."""
