-- Mends answers of the transcoder: the HTTP status a service asks for, headers that are gRPC's alone, those that
-- tell browsers what not to do, and errors as {"message": ..., "code": ...} without empty details.

-- A deadline passes here and in the service at once, and either may tell of it first, each in its own words.
local TOO_LATE = '"The request took too long and was given up; try again."'

local GRPC_ALONE = {"grpc-status", "grpc-message", "grpc-accept-encoding", "grpc-encoding", "grpc-status-details-bin"}

-- Unless the service has said another: answers hold faces, and are no pages.
local PRECAUTIONS = {
  ["cache-control"] = "no-store",
  ["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'",
  ["referrer-policy"] = "no-referrer",
  ["x-content-type-options"] = "nosniff",
  ["x-frame-options"] = "DENY",
}

-- Whether the client came by TLS, with a certificate that somebody vouches for: browsers may then insist on it.
local function is_vouched_for(handle)
  local tls = handle:streamInfo():downstreamSslConnection()
  return tls ~= nil and string.find(tls:subjectLocalCertificate(), "mien self-made", 1, true) == nil
end

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
  for _, name in ipairs(GRPC_ALONE) do
    headers:remove(name)
  end
  for name, value in pairs(PRECAUTIONS) do
    if headers:get(name) == nil then
      headers:add(name, value)
    end
  end
  if is_vouched_for(handle) then
    headers:add("strict-transport-security", "max-age=31536000")
  end
  local status = headers:get(":status")
  if tonumber(status) < 400 or content_type ~= "application/json" then
    return
  end
  local body = handle:body()  -- waits: `headers` must not be used from here on
  if body then
    local text = body:getBytes(0, body:length())
    local code, message = string.match(text, '^{%s*"code":%s*(%-?%d+),%s*"message":%s*(".*"),%s*"details":%s*%[%s*%]%s*}%s*$')
    if not code then  -- a refusal of Envoy's own, whose keys it sorts
      code, message = string.match(text, '^{%s*"code":%s*(%-?%d+),%s*"message":%s*(".*")%s*}%s*$')
    end
    if code and status == "504" then
      code, message = "0", TOO_LATE
    end
    if code then
      body:setBytes('{\n  "message" : ' .. message .. ',\n  "code" : ' .. code .. "\n}")
    end
  end
end

-- Whether a header of a REST request may become metadata of the call: gRPC refuses some that HTTP allows, and with
-- them the whole call.
local function is_metadata(name, value)
  if name == "grpc-timeout" then
    return string.find(value, "^%d%d?%d?%d?%d?%d?%d?%d?[HMSmun]$") ~= nil
  end
  return not (string.find(name, "[^%w_.%-]") or string.find(name, "%-bin$") or string.find(name, "^grpc%-"))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  if string.sub(headers:get("content-type") or "", 1, 16) == "application/grpc" then
    return
  end
  local strange = {}
  for name, value in pairs(headers) do
    if string.sub(name, 1, 1) ~= ":" and not is_metadata(name, value) then
      table.insert(strange, name)
    end
  end
  for _, name in ipairs(strange) do
    headers:remove(name)
  end
end
