--- Says hello: !hello Alice
function handle(args)
  return "Hello, " .. (args ~= "" and args or "world") .. "!"
end
