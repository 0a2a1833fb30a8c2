"""Video visits: the room opened, who joined and left, and how it ended.

Stream: one per visit. A room lives as long as one visit and its admissions are decided in order,
while the appointment keeps its own stream and outlives a room that failed.
Outside world: video vendors.
"""
