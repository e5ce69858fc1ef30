"""Token layouts, equal in result: which tokens have a row in linear layers.

base      what a layout has to say (Rows, Layout)
full      dense: every slot has a row; absent tokens are masked
packed    live tokens have rows
lagged    tokens live at the end of the chunk before have rows
table     the layouts by name
"""
