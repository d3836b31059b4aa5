//! Fetching that harms nobody: guard, robots, politeness, limits.
