"""The GraphQL face of telehealth: test the device, enter, admit, leave.

The vendor's token is made for one participant and lives for minutes.
"""
