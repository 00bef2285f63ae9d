-- Uploads 4 KiB under a new name each time: wrk -s wrk_upload.lua URL -- METHOD PATH FIELD COOKIE NAMES [ACT]
-- PATH may hold %d where the name's number goes; NAMES is what the names of this run begin with.
local count, method, path, names, headers, head, tail = 0, nil, nil, nil, nil, nil, nil

function init(args)
  method, path, names = args[1], args[2], args[5]
  headers = {["Content-Type"] = "multipart/form-data; boundary=XbX", ["Cookie"] = args[4]}
  head = "--XbX\r\n"
  if args[6] then
    head = head .. "Content-Disposition: form-data; name=\"act\"\r\n\r\n" .. args[6] .. "\r\n--XbX\r\n"
  end
  head = head .. "Content-Disposition: form-data; name=\"" .. args[3] .. "\"; filename=\""
  tail = "\"\r\nContent-Type: application/octet-stream\r\n\r\n" .. string.rep("4 KiB of bytes..", 256) .. "\r\n--XbX--\r\n"
end

function request()
  count = count + 1
  local name = names .. count
  return wrk.format(method, path:gsub("%%d", name), headers, head .. name .. tail)
end
