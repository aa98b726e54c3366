//! The mathematics of datadiet: scores of training examples, trackers of training dynamics and
//! the statistics that judge them. Slices in, values out: no I/O, no global state, no tensor
//! library.
