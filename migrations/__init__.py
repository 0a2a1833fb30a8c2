"""Numbered plain SQL, forward only; `pre_` and `post_` where code and schema must overlap."""
