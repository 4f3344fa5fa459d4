-- Keys of every kind; what they hold follows from their number. KEYS: none; ARGV: how many.
local count = tonumber(ARGV[1])
for i = 1, count do
	local key = "data:" .. i
	local kind = i % 6
	local text = redis.sha1hex(i)
	if kind == 0 then
		redis.call("SET", key, string.rep(text, 1 + i % 50))
	elseif kind == 1 then
		for j = 1, 20 do redis.call("HSET", key, "field" .. j, text .. j) end
	elseif kind == 2 then
		for j = 1, 20 do redis.call("RPUSH", key, text .. j) end
	elseif kind == 3 then
		for j = 1, 20 do redis.call("ZADD", key, i * j, text .. j) end
	elseif kind == 4 then
		for j = 1, 20 do redis.call("SADD", key, text .. j) end
	else
		for j = 1, 20 do redis.call("XADD", key, i .. "-" .. j, "word", text) end
	end
end
return count
