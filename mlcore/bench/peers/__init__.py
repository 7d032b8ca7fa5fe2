"""Published methods, implemented as published, to be measured beside ours. Not for use elsewhere."""
