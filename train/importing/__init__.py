"""Checkpoints of other repositories, brought into ours.

formats     how each repository names its layers
variants    the published networks, and what their tensors do not tell
place       tensors into our state dict, every one checked
unwrap      names without the prefixes of wrappers
reader      the file, read without running code
convert     all of it
"""
