-- Returns how many products that wait for a host may go on: as many as requests could begin now, if none has been under
-- way or held for a second; many if the host is given up, so that all learn it soon; else 0. Nothing is changed.
local MANY = 100
local IDLE = 1 -- seconds; those that are due meanwhile keep the pace of the host

local now = time()
local s = load(now)
if is_given_up(s, now, tonumber(ARGV[7]), tonumber(ARGV[8])) then
  return MANY
end
local last = math.max(s.pause_at, s.next_at, s.served_at, s.refused_at)
if last > now - IDLE or redis.call('ZCARD', PERMITS) > 0 or redis.call('ZCARD', LINE) > 0 then
  return 0
end
if s.answered == 0 and redis.call('ZCARD', UNANSWERED) >= tonumber(ARGV[6]) then
  return 0
end
local most = allowed(s, MOST)
return s.rate > 0 and math.max(1, math.min(most, math.ceil(ahead(s) * s.rate))) or most
