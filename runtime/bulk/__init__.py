"""Many images, in shards: each is answered once, and what has results is not run again.

run       answer what is left of a plan
results   files of rows, and the plan that they belong to
answer    rows out of the bytes of images
reading   the bytes of a shard's images
shards    which images there are, and how they are parted
places    folders here, and those of object stores
"""
