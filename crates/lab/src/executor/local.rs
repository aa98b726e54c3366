//! Trainings on this machine.
