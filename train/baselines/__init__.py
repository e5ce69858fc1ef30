"""Methods of other papers to compare with, built around `train.models`, which knows none of them.

dropping    tokens dropped at fixed rates (`model.drop`)
sml         surrogate modules behind blocks (`loss.surrogate_modules`)
build       the network that a configuration names, a baseline or not
"""
