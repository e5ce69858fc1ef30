"""Halting for networks that were trained without it, from a few hundred images without labels.

images         the images, files of any folder or zip
least_squares  linear maps fitted from running sums
fit            the forecasts of a network's tokens (train/models/forecasts.py)
calibrate      slope and offset of the scores, for a share of tokens
adapt          all of it, from checkpoint to checkpoint
"""
