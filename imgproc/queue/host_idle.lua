-- Returns how many requests could begin now at a host where none is under way or held; else 0. Nothing is changed.
local now = time()
local s = load(now)
if s.pause_at > now or s.next_at > now or redis.call('ZCARD', PERMITS) > 0 or redis.call('ZCARD', LINE) > 0 then
  return 0
end
if s.answered == 0 and redis.call('ZCARD', UNANSWERED) >= tonumber(ARGV[6]) then
  return 0
end
local most = allowed(s, MOST)
return s.rate > 0 and math.max(1, math.min(most, math.ceil(ahead(s) * s.rate))) or most
