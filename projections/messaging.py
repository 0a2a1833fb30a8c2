"""The inbox of a person or a team, a conversation page by page, and what is unread.

Subjects and text are sealed with the key of their item, so one conversation can be shredded.
"""
