"""What an engine answers with, and what it counts.

result      the answers of a call
trajectory  the outputs at every exit point, recorded
scores      what exit policies look at
estimate    tokens and energy, from live counts
patches     what became of every patch of an image
stats       running figures of an engine
timing      where the time of a call went
"""
