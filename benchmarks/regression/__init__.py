"""The regression guard: instructions of a few pieces of work, counted by callgrind, compared with stored counts."""
