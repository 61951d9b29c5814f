-- The control law of the limit of one host: how many requests may be under way (`window`) and how many may start in a
-- second (`rate`, 0 while unknown). `s` is the state of the host, `visit` the request that was answered: `n` requests
-- were under way with it when it began, `rate` was the rate then, and `paced` says that it had to wait for the rate.
--
-- A refusal does not say which of the two was exceeded: nginx answers 503 for both. A refusal with more requests under
-- way than the host has served before concerns the window; any other concerns the rate, which then begins at the rate
-- that was delivered, as in BBR. After that each side grows to just below what was refused, and rarely beyond it, as in
-- CUBIC: each failed probe doubles the number of requests until the next.

local START, UNANSWERED_START = 8, 4 -- the window of a host that has answered, and of one that has not yet
local SLOWEST = 0.25                 -- requests a second
local TAU = 2                        -- seconds over which the delivered rate is averaged
local SEARCH, STEP = 0.25, 1.08      -- growth of the rate in one latency while no ceiling is known; of a ceiling
local BELOW, CUT = 0.95, 0.75        -- how far below a ceiling the rate stays; what a refusal makes of the rate
local MEASURED, GUESS = 4, 1.1       -- a delivered rate that is known well enough for a ceiling, and what is guessed
local SOON, SOONER = 5, 0.9          -- seconds after a refusal; what another refusal then makes of a ceiling
local SETTLED = 3                    -- seconds after which the delivered rate is that of the pace
local FIRST_GAP, LEAST_GAP = 32, 4   -- requests between two probes of the rate
local FIRST_WINDOW_GAP = 8           -- requests with a full window between two probes of the window
local LEAST_WINDOW_GAP = 2
local MOST_GAP = 500
local SPREAD = 0.6                   -- of the latency of the host
local OUTAGE = 3                     -- refusals in a row after which one request at a time is made
local FIRST_PAUSE, LONGEST_PAUSE, PAUSE_SHARE = 1, 60, 0.25 -- seconds; of the time for which the host has refused
local QUIET = 180                    -- seconds without a request after which an outage begins anew
local PROVEN = 16                    -- served requests until connections are kept alive
local DISTRUST = 600                 -- seconds without kept connections after the host refused one

local function new_host()
  return {
    window = UNANSWERED_START, threshold = 1e6, proven = 0, bad = 0, window_gap = FIRST_WINDOW_GAP, window_count = 0,
    rate = 0, ceiling = 0, rate_gap = FIRST_GAP, rate_count = 0, paced_at = 0, slowed_at = 0,
    asked_at = 0, next_at = 0, line_at = 0, pause_at = 0, cut_at = 0, refusing_at = 0, refused_at = 0, served_at = 0, close_at = 0,
    delivered = 0, delivered_at = 0, began_at = 0, latency = 0, streak = 0, answered = 0, served = 0,
    trouble = '', because = '',
  }
end

local function delivered_rate(s, now)
  if s.delivered == 0 then
    return 0
  end
  local age = math.max(1, now - s.began_at)
  return s.delivered * math.exp((s.delivered_at - now) / TAU) / (TAU * (1 - math.exp(-age / TAU)))
end

local function is_outage(s)
  return s.streak >= OUTAGE or (s.answered == 0 and s.streak > 0)
end

-- How many requests may be under way.
local function allowed(s, most)
  return is_outage(s) and 1 or math.max(1, math.min(math.floor(s.window), most))
end

-- Seconds from the start of one request to that of the next. Below the window starts are spread over the latency, so
-- that a host that allows no two requests at the same moment serves them.
local function spacing(s)
  if s.rate > 0 then
    return 1 / s.rate
  end
  return s.bad > 0 and SPREAD * s.latency / s.window or 0
end

local function grow_window(s, visit)
  s.proven = math.max(s.proven, visit.n)
  if s.bad > 0 and visit.n >= s.bad then -- it serves what it once refused
    s.bad = 0
    s.window_gap = math.max(LEAST_WINDOW_GAP, s.window_gap / 4)
  end
  if s.window < s.threshold then
    s.window = s.window + 1
  elseif visit.n >= math.floor(s.window) then
    s.window_count = s.window_count + 1
    if s.window_count >= s.window_gap then
      s.window, s.threshold, s.window_count = s.window + 1, s.window + 1, 0
    end
  end
end

local function grow_rate(s, visit)
  if s.rate == 0 or not visit.paced then
    return
  end
  if s.ceiling == 0 then
    s.rate = s.rate * (1 + SEARCH / visit.n)
    return
  end
  s.rate = math.max(s.rate, s.rate + 0.1 * (BELOW * s.ceiling - s.rate))
  s.rate_count = s.rate_count + 1
  if s.rate_count >= s.rate_gap then
    s.ceiling, s.rate_count, s.rate_gap = s.ceiling * STEP, 0, math.max(LEAST_GAP, s.rate_gap / 2)
    s.rate = math.max(s.rate, BELOW * s.ceiling)
  end
end

local function served(s, visit, now, most)
  if s.delivered == 0 or now - s.delivered_at > 10 then
    s.began_at, s.delivered = now, 0
  end
  s.delivered = s.delivered * math.exp((s.delivered_at - now) / TAU) + 1
  s.delivered_at, s.served_at = now, now
  if s.answered == 0 or is_outage(s) then
    s.window = math.min(math.max(s.window, START), most)
    s.threshold = s.bad > 0 and s.bad - 1 or most
    s.window = math.min(s.window, s.threshold)
  end
  s.answered, s.served, s.streak, s.refusing_at = 1, s.served + 1, 0, 0
  grow_window(s, visit)
  s.window = math.min(s.window, most)
  grow_rate(s, visit)
end

-- Fewer under way: one less than were refused.
local function cut_window(s, visit)
  s.window = math.max(1, math.min(s.window, visit.n - 1))
  s.threshold, s.bad, s.window_count = s.window, math.max(2, visit.n), 0
end

local function cut_rate(s, visit, now)
  local delivered = delivered_rate(s, now)
  if s.rate == 0 then
    s.rate, s.paced_at = BELOW * delivered, now
    s.ceiling = delivered >= MEASURED and now - s.began_at > 1 and GUESS * delivered or 0
  elseif visit.rate > 0 then
    local slower = CUT * visit.rate
    if now - s.paced_at > SETTLED then
      slower = math.max(slower, math.min(0.93 * delivered, BELOW * visit.rate))
    end
    -- A pause lets a host allow more for a moment, so a rate that was reached just after it says too much.
    s.ceiling = now - s.slowed_at < SOON and SOONER * visit.rate or visit.rate
    s.rate, s.slowed_at = math.min(s.rate, slower), now
    s.rate_gap = math.min(MOST_GAP, s.rate_gap * 2)
  end
  s.rate, s.rate_count = math.max(SLOWEST, s.rate), 0
  s.next_at = math.max(s.next_at, now + 1 / s.rate)
end

local function pause(s, now, seconds)
  s.pause_at = math.max(s.pause_at, now + seconds)
end

-- One refusal lowers the limit once: the requests that were under way with it say the same.
local function refused(s, visit, now, trouble)
  if now - math.max(s.refused_at, s.refusing_at) > QUIET then
    s.refusing_at = 0
  end
  if s.refusing_at == 0 then
    s.refusing_at = now
  end
  s.refused_at, s.trouble = now, trouble
  if trouble == 'away' and s.answered == 1 then
    s.close_at = now + DISTRUST
  end
  local beyond = visit.n > math.max(1, s.proven)
  local first = visit.start >= s.cut_at
  if first then
    s.streak, s.cut_at = s.streak + 1, now
  end
  if is_outage(s) then
    if first then
      pause(s, now, math.max(FIRST_PAUSE, math.min(LONGEST_PAUSE, PAUSE_SHARE * (now - s.refusing_at))))
    end
  elseif beyond then
    if first then
      s.window_gap = math.min(MOST_GAP, s.window_gap * 2)
    end
    if visit.n - 1 < s.window then
      cut_window(s, visit)
    end
  elseif trouble == 'busy' then
    if first then
      cut_rate(s, visit, now)
    end
  elseif first then -- the number of connections, which others may share
    s.window, s.proven = math.max(1, s.window - 1), math.max(1, visit.n - 1)
  end
end
