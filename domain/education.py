"""Care plans and reading material: assigned, read, understood.

Stream: one per plan. Progress is decided against the articles and quizzes of one assigned plan;
the material itself is a library outside the log.
Outside world: content libraries.
"""
