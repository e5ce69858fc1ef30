"""How commands take their options and give out what they found.

fields     frozen dataclasses as options
helps      what their docstrings say of each
outputs    files, checked before the work; figures as text or JSON
"""
