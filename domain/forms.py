"""Questionnaires and consents to sign: assigned, filled page by page, submitted.

Stream: one per assignment. One patient answers one version of one form once, so saved pages, the
submission and the signature are decided against that version alone.
Source: FHIR R4 Questionnaire and QuestionnaireResponse.
"""
