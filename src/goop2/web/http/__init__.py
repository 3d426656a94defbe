"""HTTP itself: listeners, servers, which origin is meant, who asks, bodies, answers and event streams."""
