"""What a peer does, apart from transport: chat, groups, listening, the REST API, HTTP for scripts, tables for callers."""
