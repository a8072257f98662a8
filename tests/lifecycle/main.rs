//! Ours alone: load and unload, races, crashes.
