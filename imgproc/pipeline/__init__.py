"""The stages of the journey. Each is a verb, takes and returns plain values, and knows no other.

1. `read_csv`: bytes → rows, or errors with line and column
2. `download`: URL → source bytes, under every cap
3. `compress`: source bytes and options → a rendition
4. `store`: bytes → object key and public URL
5. `write_csv`: rows → the bytes of the output CSV
6. `notify`: payload → one signed POST

`jobs.py` alone knows this order.
"""
