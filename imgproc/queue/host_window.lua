-- How many requests to a host may be under way: how the window grows, and how refusals lower it.

local MOST_GAP = 500
local SAME, KNOWN, TOLD = 1, 2, 3    -- further refusals of the same moment: each counts, none does, or each is measured
local OUTAGE = 3                     -- refusals in a row after which one request at a time is made
local FIRST_WINDOW_GAP = 8           -- requests with a full window between two probes of the window
local LEAST_WINDOW_GAP = 4
local PROOF = 8                      -- served requests with a full window that prove it
local MOST_STEP = 8                  -- of a probe of the window, after others were served
local SPREAD = 0.6                   -- of the latency of the host
local MORE_GUARD, MOST_GUARD, LESS_GUARD = 0.005, 0.2, 0.99 -- seconds; of the latency; what a served request leaves

local function is_outage(s)
  return s.streak >= OUTAGE or (s.answered == 0 and s.streak > 0)
end

-- How many requests may be under way.
local function allowed(s, most)
  return is_outage(s) and 1 or math.max(1, math.min(math.floor(s.window), most))
end

local function grow_window(s, visit)
  if s.window < s.threshold then
    s.window = s.window + 1
  elseif visit.n >= math.floor(s.window) then
    s.window_count = s.window_count + 1
    if s.window_count >= math.min(s.window_gap, PROOF) and s.window > s.proven then
      if s.proven > 0 then -- a probe was served: the next one goes further
        s.window_gap, s.step = math.max(LEAST_WINDOW_GAP, s.window_gap / 2), math.min(MOST_STEP, 2 * s.step)
      end
      s.proven, s.blamed = s.window, 0
    end
    if s.window_count >= s.window_gap then
      s.window, s.threshold, s.window_count = s.window + s.step, s.window + s.step, 0
    end
  end
end

-- Fewer under way than when the first was refused; each further one of the same moment takes one more.
local function cut_window(s, under_way)
  if s.blamed == 0 then
    s.blamed = s.window
  end
  if s.limited == 0 then
    s.window, s.cutting, s.guard = math.min(s.window, under_way), SAME, MORE_GUARD
  else
    s.cutting = KNOWN
    s.window_gap = s.proven > 0 and math.min(MOST_GAP, s.window_gap * 2) or s.window_gap
  end
  local is_probe = s.limited == 1 and s.proven > 0 and s.window > s.proven
  s.window = math.max(1, is_probe and s.proven or s.window - 1)
  s.limited, s.doubt, s.step = 1, 0, 1
  s.threshold, s.proven = s.window, math.min(s.proven, s.window)
end

-- The window was not the reason of the refusals that lowered it.
local function restore_window(s)
  if s.blamed > 0 then
    s.window, s.threshold, s.blamed, s.limited = s.blamed, s.blamed, 0, 0
  end
end

-- One more refusal although the window may be right: the host may have noticed the end of another too late.
local function doubt(s, is_known)
  s.doubt = s.doubt + 1
  local most = is_known and MOST_GUARD or MOST_GUARD / 2 -- a larger window may just be too large
  s.guard = math.max(s.guard, math.min(most * s.latency, s.guard + MORE_GUARD))
end
