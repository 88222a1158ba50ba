//! otop's screen and command line.
