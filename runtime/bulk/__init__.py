"""Many images, in shards: each is answered once, and what has results is not run again.

run       answer what is left of a plan
results   the results of shards, and the plan that they belong to
folders   where they lie: here, or in an object store
answer    what became of a shard
rows      what is known of an image, and files of that
reading   the bytes of a shard's images
shards    which images there are, and how they are parted
places    files here, and those of object stores
"""
