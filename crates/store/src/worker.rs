//! What a worker answers with its exit code. 0 is done; 1 is failed, with the reason on standard
//! error; others are the system's, such as 127 for a program whose libraries are not found.

/// It was not asked in a way that it understands, as command-line parsers have it.
pub const EXIT_MISUNDERSTOOD: u8 = 2;

/// It was asked to stop, and saved its state.
pub const EXIT_STOPPED: u8 = 3;
