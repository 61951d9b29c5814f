"""`make hosts`: hosts as merchants have them, each with real servers on loopback and the default number of workers.

One merchant's pictures of a host that is limited, busy, away or slow; and merchants beside whom another one's pictures,
webhooks or rows are in trouble. Each row has a stack of its own, since hosts leave their marks in it. The table shows
what must hold, whether it does, and the same before hosts had limits (`results/hosts_before.json`).

  figures      what a row measured, its bars, and the table
  uploads      files, and waiting for their end
  callers      callers with keys, whose webhooks go to one receiver
  one_host     the rows of one merchant
  neighbours   the rows of two merchants
  own_network  a network namespace, in which refused connections can be counted
"""
