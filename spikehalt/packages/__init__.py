"""The packages of the project, and the commands that they have.

ours        finding them, whatever a user's own files are called
lazy        their public names, imported when asked for
catalogue   what commands there are, and which extra brings what they import
"""
