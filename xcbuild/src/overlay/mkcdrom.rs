//! `mkcdrom`: the overlays of a command line, built and put into an ISO.
