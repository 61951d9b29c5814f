"""The stages. Each takes and returns plain values, imports no other stage, and knows no framework.

1. `table.read`: the bytes of a file → rows, or errors with line and column
2. `download`: URL → source bytes, within every limit
3. `images.compress`: source bytes and options → a rendition
4. `storage.store`: bytes → an object and its public URL
5. `table.write`: rows → the bytes of the output CSV
6. `notify`: payload → one signed POST

`http` is shared by the stages that make requests. Only `journey` knows this order.
"""
