"""How commands read their options and write their results.

fields     frozen dataclasses as options
helps      the help of each, from their docstrings
outputs    files, checked before the work; figures as text or JSON
"""
