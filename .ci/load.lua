-- For wrk: half of the requests make a document, a quarter asks for the health, a quarter gives a user
-- a role (`Strict`). What was answered is written down. A document's name is the request's own, and the
-- answer says it: wrk does not tell which request an answer is for.

local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("id", threads)
end

function init()
    run = os.getenv("RUN")
    sent = 0
    answered = io.open(os.getenv("ANSWERED") .. "-" .. id, "w")
    -- Whole lines, also when this is killed.
    answered:setvbuf("line")
    headers = { ["content-type"] = "application/json", ["cookie"] = os.getenv("COOKIE") }
end

function request()
    sent = sent + 1
    local name = string.format("%s-%d-%d", run, id, sent)
    headers["x-request-id"] = name
    if sent % 4 == 0 then
        return wrk.format("GET", "/health", headers)
    elseif sent % 4 == 2 then
        return wrk.format("POST", "/admin/users/flapjack/role", headers, '{"role":"' .. name .. '"}')
    end
    return wrk.format("POST", "/documents", headers, '{"name":"' .. name .. '"}')
end

function response(status, _, body)
    answered:write(status, " ", body:match('"name":"([^"]*)"') or "-", "\n")
end
