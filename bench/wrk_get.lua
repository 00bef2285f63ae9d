-- Reads 64 small files in turn: wrk -s wrk_get.lua URL -- PATH COOKIE, with %d in PATH where the number goes.
local count, requests = 0, {}

function init(args)
  for number = 0, 63 do
    requests[number] = wrk.format("GET", (args[1]:gsub("%%d", number)), {["Cookie"] = args[2]})
  end
end

function request()
  count = count + 1
  return requests[count % 64]
end
