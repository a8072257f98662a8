-- Requests of calls, each with its own uuid: `gather` without a PIN, `pin` with the right one.
-- Callers are those of load.rs. The last line of the output is for wrk.rs.

local threads = 0

function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

function init(arguments)
  kind = arguments[1]
  round = arguments[2]
  sent = 0
end

function request()
  sent = sent + 1
  local caller = (sent * 17 + id * 5003) % 10000
  local data = ""
  if kind == "pin" then
    data = string.format('"pin_code":"%04d"', caller * 7 % 10000)
  end
  local body = string.format(
    '{"caller":"+9050605%05d","callee":"908508851980","direction":"inbound",' ..
    '"uuid":"%08x-0000-4000-%04x-%012x","timestamp":1729721495,' ..
    '"external_manager_id":2,"data":{%s},"callflow":[{"timestamp":1729721495,' ..
    '"action":"init","detail":{"id":2,"type":"external_manager"}}]}',
    caller, round, id, sent, data)
  return wrk.format("POST", "/api/external/hipcall-ingress",
    {["Content-Type"] = "application/json"}, body)
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format("requests %d microseconds %d half %d most %d errors %d",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
