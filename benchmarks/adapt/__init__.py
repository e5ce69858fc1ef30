"""Accuracy against tokens of networks that were trained without halting.

command    arguments, tables, figure
points     answers to all test images, kept in files: through bundles, and of droppers
droppers   the static network with fixed shares of its tokens dropped
paired     differences between two methods, image by image
"""
