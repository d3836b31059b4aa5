//! How the runs of `make hostile` tell each other what they found: browsers run in another test binary than what is counted last.

/// The variable that names the file between them.
pub const FILE: &str = "INKDEX_HOSTILE_TOLD";

/// Begins the line of a browser that has ended; behind it, how many of its processes it left.
pub const BROWSER: &str = "browser processes left: ";
