-- Mends answers of the transcoder: the HTTP status a service asks for, headers that are gRPC's alone, and
-- errors as {"message": ..., "code": ...} without empty details.

-- A deadline passes here and in the service at once, and either may tell of it first, each in its own words.
local TOO_LATE = '{"message":"The request took too long and was given up; try again.","code":0}'

function envoy_on_response(handle)
  local headers = handle:headers()
  local content_type = headers:get("content-type") or ""
  local wanted = headers:get("x-http-status")
  headers:remove("x-http-status")
  if string.sub(content_type, 1, 16) == "application/grpc" then
    return
  end
  if wanted then
    headers:replace(":status", wanted)
  end
  for _, name in ipairs({"grpc-status", "grpc-message", "grpc-accept-encoding", "grpc-encoding", "grpc-status-details-bin"}) do
    headers:remove(name)
  end
  local status = headers:get(":status")
  if tonumber(status) >= 400 and content_type == "application/json" then
    local body = handle:body()  -- waits: `headers` must not be used from here on
    if body then
      local text = body:getBytes(0, body:length())
      local code, message = string.match(text, '^{"code":(%-?%d+),"message":(".*"),"details":%[%]}$')
      if not code then  -- a refusal of Envoy's own, whose keys it sorts
        code, message = string.match(text, '^{"code":(%-?%d+),"message":(".*")}%s*$')
      end
      if code and status == "504" then
        body:setBytes(TOO_LATE)
      elseif code then
        body:setBytes('{"message":' .. message .. ',"code":' .. code .. "}")
      end
    end
  end
end
