"""Data sets as people have them: one definition for training and for what runs the result.

    names           what is an image or an event file, and what a listing skips
    listing         every file of a folder or a zip, links followed; what is left out
    splits          what folders say: train, val or test, and the class
    sampling        a few of many, spread over all
    reading         bytes of regular files and of zips' members, bounded
    preprocessing   what is done to an image file
    pixels          image files to uint8 pixels
    arrays          arrays out of .npz files that may be hostile
    texts           UTF-8 that people write, and lists of names
    errors          what all of these raise

Of the standard library alone at import; `pixels` and `arrays` bring Pillow and numpy when called.
"""
