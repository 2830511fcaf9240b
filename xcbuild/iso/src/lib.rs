//! ISO 9660 writer and reader.
