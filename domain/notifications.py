"""What a person wants to hear of and how: preferences, notices sent, deliveries failed.

Stream: one per person. Quiet hours, channels and repeated failures are decided for the person who
is reached, across all the charts they may see; a notice itself holds no health information.
Outside world: mail, SMS, push.
"""
