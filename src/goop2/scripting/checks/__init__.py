"""What can be said of a script without running it: names that are not there, functions out of place. It runs no Lua and knows no file."""
