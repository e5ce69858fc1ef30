"""Training runs.

run        data, static phase, halting phase
once       a run that is trained once: found finished, resumed, or trained
sweep      a run for every point of a grid
phase      one phase, step by step
reports    what a run says while it trains, and its log
"""
