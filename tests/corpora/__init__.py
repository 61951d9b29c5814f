"""`make corpora DIR=…`: pictures of any folder beside Chromium, libvips and sharp.

chromium   what Chromium shows of a picture
vips       what libvips makes of one, for kinds that no browser shows
sharp      what sharp makes of one, if it is installed
us         what we make of one
shown      pixels, and how far two pictures differ
verdict    the kind of agreement or disagreement
sheets     contact sheets
"""
