"""Chat rooms: what is said in groups of type `chat`, kept in memory, and the service that sends and hands on."""
