"""Training runs.

run        data, static phase, halting phase
starting   what a run takes from the checkpoint that it starts from
teacher    the network whose answers a run learns
folder     where it leaves its files
once       a run that is trained once: found finished, resumed, or trained
sweep      a run for every point of a grid
phase      one phase, step by step
reports    what a run says while it trains, and its log
"""
