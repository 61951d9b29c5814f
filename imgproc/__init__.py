"""imgproc: a CSV of product image URLs in, the same CSV with public URLs of compressed images out.

Importing the package loads none of its parts, so that a stage can be used without the frameworks of the others.
"""

__version__ = "0.2.0"
