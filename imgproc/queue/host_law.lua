-- The control law of the limit of one host, with `host_window.lua` and `host_rate.lua`: how many requests may be under way
-- (`window`) and how many may start in a second (`rate`, 0 while unknown). `s` is the state of the host, `visit` the
-- request that was answered: `n` requests were under way with it when it began, `rate` was the rate then, and `paced` says
-- that it had to wait for the rate.
--
-- A refusal does not say which of the two was exceeded: nginx answers 503 for both. The first ones lower the window, to
-- what was under way without those refused. If the host goes on to refuse, or refuses while the window is not full, the
-- rate was the reason: it begins at the rate that was delivered, as in BBR, and the window is restored. A refusal that
-- asks for a pause says the rate itself: what was served since the last pause, in the time until the end of this one.
-- After that each side grows to just below what was refused, and rarely beyond it, as in CUBIC: each failed probe doubles
-- the number of requests until the next. A few refusals with a full window are tolerated, because requests overtake each
-- other on the way, and a host notices late that one has ended; a permit is then given again a little later (`guard`).

local START, UNANSWERED_START = 8, 4 -- the window of a host that has answered, and of one that has not yet
local LEAST_LATENCY = 0.05           -- seconds
local UNLIMITED = 1e6
local MOST_DOUBT, LESS_DOUBT = 2, 0.05 -- refusals with a full window until the rate is blamed; less for each served
local FIRST_PAUSE, LONGEST_PAUSE, PAUSE_SHARE = 0.5, 60, 0.25 -- seconds; of the time for which the host has refused
local QUIET = 180                    -- seconds since the last refusal after which the next one begins a new outage
local PROVEN = 16                    -- served requests until connections are kept alive
local DISTRUST = 600                 -- seconds without kept connections after the host refused one

local function new_host()
  return {
    window = UNANSWERED_START, threshold = UNLIMITED, proven = 0, blamed = 0, limited = 0, cutting = 0,
    window_gap = FIRST_WINDOW_GAP, window_count = 0, step = 1, doubt = 0, guard = 0,
    rate = 0, ceiling = 0, rate_gap = GUESS_GAP, stride = STRIDE, rate_count = 0, rate_wait = FIRST_WAIT,
    probed_at = 0, paced_at = 0, slowed_at = 0, count = 0, counted_at = 0, recount_at = 0,
    asked_at = 0, next_at = 0, line_at = 0, pause_at = 0, cut_at = 0, refusing_at = 0, refused_at = 0, served_at = 0,
    close_at = 0, delivered = 0, delivered_at = 0, began_at = 0, latency = 0, streak = 0, answered = 0, served = 0,
    trouble = '', because = '',
  }
end

local function served(s, visit, now, most)
  count(s, visit, now)
  if s.delivered == 0 or now - s.delivered_at > 10 then
    s.began_at, s.delivered = now, 0
  end
  s.delivered = s.delivered * math.exp((s.delivered_at - now) / TAU) + 1
  s.delivered_at, s.served_at = now, now
  if s.served == 0 or is_outage(s) then
    s.threshold = s.limited == 1 and math.max(s.threshold, s.proven) or most
    s.window = math.min(math.max(s.window, START), s.threshold)
  end
  s.answered, s.served, s.streak, s.refusing_at = 1, s.served + 1, 0, 0
  s.doubt, s.guard = math.max(0, s.doubt - LESS_DOUBT), s.guard * LESS_GUARD
  grow_window(s, visit)
  s.window = math.min(s.window, most)
  grow_rate(s, visit, now)
end

local function pause(s, now, seconds)
  s.pause_at = math.max(s.pause_at, now + seconds)
end

-- Decide what a refusal says. Those within a latency of the first say the same.
local function learn(s, visit, now, trouble, under_way)
  local is_known = s.window <= math.max(1, s.proven)
  local is_clear = s.streak > 1 or (s.rate > 0 and visit.n < math.floor(s.window))
  if trouble == 'busy' and is_clear then
    cut_rate(s, visit, now)
  elseif s.limited == 1 and s.doubt < (is_known and MOST_DOUBT or 1) then
    doubt(s, is_known)
  elseif trouble == 'busy' and is_known then
    cut_rate(s, visit, now)
  else
    cut_window(s, under_way)
  end
end

local function refused(s, visit, now, trouble, under_way, asked)
  if now - math.max(s.refused_at, s.refusing_at) > QUIET then
    s.refusing_at = 0
  end
  if s.refusing_at == 0 then
    s.refusing_at = now
  end
  s.refused_at, s.trouble = now, trouble
  if s.answered == 0 and under_way > 1 then -- others may still be answered
    cut_window(s, under_way)
    return
  end
  if trouble == 'away' and s.answered == 1 then
    s.close_at = now + DISTRUST
  end
  s.window_count = 0
  local is_first = visit.start >= s.cut_at
  if is_first then
    s.streak, s.cut_at, s.cutting = s.streak + 1, now + math.max(LEAST_LATENCY, s.latency), 0
  elseif s.cutting == SAME then
    s.window = math.max(1, s.window - 1)
    s.threshold, s.proven = s.window, math.min(s.proven, s.window)
  elseif s.cutting == TOLD then
    cut_to_told(s, visit, now, asked, under_way)
  end
  if s.cutting > 0 then
    return
  end
  if is_outage(s) then
    pause(s, now, math.max(FIRST_PAUSE, math.min(LONGEST_PAUSE, PAUSE_SHARE * (now - s.refusing_at))))
  elseif trouble == 'busy' and asked > 0 and s.count >= LEAST_COUNT then
    cut_to_told(s, visit, now, asked, under_way)
  else
    learn(s, visit, now, trouble, under_way)
  end
end
